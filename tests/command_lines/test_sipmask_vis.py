"""SipMask-VIS on the tiny set, as people use it: trained, resumed, tested, streamed, on two processes."""

import json
import math
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mmdet.config import load_config
from mmdet.engine.checkpoints.file import load_checkpoint
from mmdet.engine.inference.predictor import VideoPredictor

TERMS = ("cls", "bbox", "centerness", "mask", "match")


@pytest.fixture(scope="module")
def sipmask_config(write_vit_config):
    return write_vit_config("sipmask_vis", "num_bases=4, fused_channels=16", optimizer="SGD")


@pytest.fixture(scope="module")
def sipmask_run(sipmask_config, train_for, tmp_path_factory):
    """The work dir of a run of two steps."""
    work_dir = tmp_path_factory.mktemp("sipmask_vis")
    train_for(sipmask_config, work_dir)
    return work_dir


def test_training_writes_down_every_loss(sipmask_run):
    lines = [json.loads(line) for line in (sipmask_run / "train.jsonl").read_text().splitlines()]
    steps = [line for line in lines if "loss_cls" in line]
    assert len(steps) == 2
    assert all(math.isfinite(line[f"loss_{term}"]) for line in steps for term in TERMS)


def test_a_resumed_run_ends_bit_for_bit_like_one_in_one_go(sipmask_config, train_for, tmp_path):
    train_for(sipmask_config, tmp_path / "whole", "schedule.steps=4", "runtime.checkpoint_every_steps=3")
    half = tmp_path / "half"
    half.mkdir()
    shutil.copy(tmp_path / "whole" / "step_3.pth", half)
    train_for(sipmask_config, half, "schedule.steps=4", options=["--resume_from", str(half / "step_3.pth")])
    ends = [load_checkpoint(folder / "epoch_1.pth")["model"] for folder in (half, tmp_path / "whole")]
    assert ends[0].keys() == ends[1].keys()
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_a_test_is_evaluated(run, sipmask_config, sipmask_run, tmp_path):
    out = tmp_path / "results.pkl"
    done = run("test_video", sipmask_config, sipmask_run / "step_2.pth", "--out", out, "--eval", "segm")
    assert done.code == 0, done.err
    assert "AP" in done.out
    entries = json.loads(Path(f"{out}.json").read_text())
    assert entries
    assert set(entries[0]) == {"video_id", "category_id", "score", "segmentations"}


def test_a_stream_gives_what_the_predictor_gives(sipmask_config, sipmask_run, frames):
    predictor = VideoPredictor.from_checkpoint(load_config(sipmask_config), sipmask_run / "step_2.pth", device="cpu")
    pictures = [cv2.imread(str(path))[..., ::-1] for path in sorted(frames.iterdir())]
    stream = predictor.stream(pictures[0].shape[:2])
    pushed = [stream.push(np.ascontiguousarray(picture)) for picture in pictures]
    tracked = list(predictor.track(frames))
    assert len(tracked) == len(pushed) == 6
    assert any(len(tracks) for tracks in pushed)
    for one, other in zip(pushed, tracked, strict=True):
        assert one.track_ids.tolist() == other.track_ids.tolist()
        assert torch.equal(one.masks, other.masks)
