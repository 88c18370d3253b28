"""A program whose model may be run but not recorded, in a way that no rehearsal can tell: training or a stream."""

import sys
from pathlib import Path

import tiny_video
import tiny_vis
import torch
from torch import nn

from mmdet.engine.inference.predictor import VideoPredictor
from mmdet.engine.process.endings import run_command_line
from mmdet.engine.process.processes import connect

call = nn.Module.__call__


def spoiling(self, *arguments, **options):
    if type(self).__name__ == "SipMaskHead" and torch.cuda.is_current_stream_capturing():
        torch.cuda.synchronize()
    return call(self, *arguments, **options)


def main():
    nn.Module.__call__ = spoiling
    if sys.argv[1] == "training":
        tiny_vis.make_trainer(Path(sys.argv[2]), connect(0, 0, 1), checkpoint_every_steps=3, cuda_graphs=True).run()
        return
    made = tiny_video.make_predictor()
    predictor = VideoPredictor(made.model, made.tracker, made.transforms, "cuda", cuda_graph=True)
    predictor.stream(tiny_video.SIZE).push(tiny_video.make_video(1)[0])


if __name__ == "__main__":
    run_command_line(main)
