"""Track the objects of your own video: python tools/track_video.py CONFIG CHECKPOINT VIDEO --out FOLDER [--thresh 0.3].

VIDEO is a file that OpenCV can read or a folder of images. Writes FOLDER/NAME.json (run-length encoded tracks, labels
0-based) and FOLDER/NAME.mp4, frame by frame, with memory that does not grow with the video's pixels.
"""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path

import torch
from tqdm import tqdm

from mmdet.config import load_config
from mmdet.datasets.frame_io import read_video
from mmdet.engine.arguments import CommandParser
from mmdet.engine.distributed import limit_threads
from mmdet.engine.outcomes import run_command_line
from mmdet.engine.precision import AMP_TYPES
from mmdet.engine.predictor import VideoPredictor
from mmdet.errors import UserError
from mmdet.fileio.atomic import write_text_atomically
from mmdet.visualization.draw import draw_objects
from mmdet.visualization.writer import objects_of_tracks, open_mp4


def main() -> None:
    """Track, draw and write."""
    parser = CommandParser(description="Track the objects of a video.")
    parser.add_argument("config")
    parser.add_argument("checkpoint")
    parser.add_argument("video", type=Path, help="a video file or a folder of images")
    parser.add_option("out", type=Path, default=Path("tracked"))
    parser.add_option("thresh", type=float, default=0.3, help="draw objects with at least this score")
    parser.add_option("fps", type=float, default=25.0, help="of the mp4")
    parser.add_option("device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_option("amp", choices=tuple(AMP_TYPES), default="off", help="precision on GPUs (default: off, float32)")
    parser.add_switch("cuda_graph", "on a GPU launch each frame at once: less waiting, same results")
    parser.add_switch("trust_checkpoint", "load any object from the checkpoint: only if you know where it comes from")
    args = parser.parse_args()
    limit_threads(torch.device(args.device))
    frames = read_video(args.video)
    first = next(frames, None)
    if first is None:
        raise UserError(f"{args.video} has no frame that can be read: give a video file or a folder of images")
    config = load_config(args.config)
    predictor = VideoPredictor.from_checkpoint(
        config, args.checkpoint, args.device, args.amp, args.trust_checkpoint, cuda_graph=args.cuda_graph
    )
    names = predictor.class_names
    stream = predictor.stream((first.shape[0], first.shape[1]))
    args.out.mkdir(parents=True, exist_ok=True)
    with open_mp4(args.out / f"{args.video.stem}.mp4", stream.size, args.fps) as append:
        for frame in tqdm(chain([first], frames), unit="frame", disable=None):
            append(draw_objects(frame, objects_of_tracks(stream.push(frame), names, args.thresh)))
    text = json.dumps(stream.finish().to_json(range(len(names)), with_boxes=True))
    write_text_atomically(args.out / f"{args.video.stem}.json", text)
    print(f"{stream.num_frames} frames: {args.out / args.video.stem}.mp4 and .json")


if __name__ == "__main__":
    run_command_line(main)
