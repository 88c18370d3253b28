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

ROOT = Path(__file__).parents[2]
CONFIG = """
_base_ = [{base!r}, {runtime!r}]
model = dict(
    backbone=dict(type="ViTMAE", embed_dim=32, depth=3, num_heads=2, out_blocks=(0, 1, 2), reset_blocks=()),
    neck=dict(channels=32),
    head=dict(num_classes=5, norm_groups=8, num_bases=4, fused_channels=16),
    postprocess=dict(score_threshold=0.001),
)
data = dict(
    train=dict(
        datasets=[
            dict(
                type="VISDataset",
                ann_file={train!r},
                img_prefix={train_images!r},
                transforms=[dict(type="RandomFlip")],
            )
        ],
        batch_size=2,
        workers=0,
    ),
    test=dict(
        dataset=dict(
            type="VISDataset",
            ann_file={valid!r},
            img_prefix={valid_images!r},
            transforms=[dict(type="ResizeKeepRatio", long_edge=120, short_edge=80)],
        ),
        chunk_size=3,
        workers=0,
    ),
)
optimizer = dict(type="SGD", lr=1e-3)
schedule = dict(steps=2)
runtime = dict(log_every=1)
"""
TERMS = ("cls", "bbox", "centerness", "mask", "match")


@pytest.fixture(scope="module")
def sipmask_config(tiny_set):
    path = tiny_set / "tiny_sipmask_vis.py"
    names = {
        "base": str(ROOT / "configs/_base_/sipmask_vis.py"),
        "runtime": str(ROOT / "configs/_base_/runtime.py"),
        "train": str(tiny_set / "annotations/instances_train.json"),
        "train_images": str(tiny_set / "train_images"),
        "valid": str(tiny_set / "annotations/instances_valid.json"),
        "valid_images": str(tiny_set / "valid_images"),
    }
    path.write_text(CONFIG.format(**names))
    return path


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
