"""MaskTrack R-CNN on the tiny set, as people use it: trained, resumed, tested, let loose on videos."""

import json
import math
import shutil
from pathlib import Path

import pytest
import torch

from mmdet.engine.checkpoints.file import load_checkpoint

MODEL = """
    backbone=dict(
        type="TimmBackbone",
        name="resnet10t",
        options=dict(channels=(8, 16, 16, 32), stem_width=8),
        out_strides=(4, 8, 16, 32),
    ),
    neck=dict(channels=16),
    rpn=dict(num_per_level=40, num_proposals=30),
    head=dict(num_classes=5, width=16),
    criterion=dict(region_sampler=dict(num=24)),
    postprocess=dict(score_threshold=0.01),
"""
READING = 'whole_masks=True, max_jitter=0.0, transforms=[dict(type="RandomFlip")],'
TERMS = ("rpn_cls", "rpn_box", "cls", "box", "match", "mask")


@pytest.fixture(scope="module")
def config_path(write_config):
    return write_config("masktrack_rcnn", MODEL, reading=READING)


@pytest.fixture(scope="module")
def work_dir(config_path, train_for, tmp_path_factory):
    """The work dir of a run of two steps with validation."""
    folder = tmp_path_factory.mktemp("two_stage")
    train_for(config_path, folder, options=["--validate"])
    return folder


def test_training_and_validation_write_down_every_loss(work_dir):
    lines = [json.loads(line) for line in (work_dir / "train.jsonl").read_text().splitlines()]
    steps = [line for line in lines if "loss_cls" in line]
    assert len(steps) == 2
    for line in steps:
        assert all(math.isfinite(line[f"loss_{term}"]) for term in TERMS)
        assert 0 <= line["match_acc"] <= 1
    assert any("AP" in line for line in lines)


def test_a_resumed_run_draws_the_samples_of_one_in_one_go(config_path, train_for, tmp_path):
    train_for(config_path, tmp_path / "whole", "schedule.steps=3", "runtime.checkpoint_every_steps=2")
    half = tmp_path / "half"
    half.mkdir()
    shutil.copy(tmp_path / "whole" / "step_2.pth", half)
    train_for(config_path, half, "schedule.steps=3", options=["--resume_from", str(half / "step_2.pth")])
    first, second = (load_checkpoint(folder / "step_3.pth")["model"] for folder in (half, tmp_path / "whole"))
    assert first.keys() == second.keys()
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_a_data_set_without_whole_masks_is_told_the_remedy(run, config_path, tmp_path):
    values = "data.train.datasets.0.whole_masks=False"
    said = run("train", config_path, "--work_dir", tmp_path / "w", "--cfg-options", values)
    assert said.code == 2
    assert "TwoStageModel learns from parts of masks at full size: set whole_masks=True" in said.err


def test_a_test_is_evaluated_and_drawn(run, config_path, work_dir, tmp_path):
    out = tmp_path / "results.pkl"
    done = run(
        *("test_video", config_path, work_dir / "step_2.pth", "--out", out, "--eval", "segm"),
        *("--show", "--save_vis_path", tmp_path / "vis", "--thresh", "0.0"),
    )
    assert done.code == 0, done.err
    assert "AP" in done.out
    entries = json.loads(Path(f"{out}.json").read_text())
    assert entries
    assert all(len(entry["segmentations"]) == 4 and 0 <= entry["score"] <= 1 for entry in entries)
    pictures = [path for path in (tmp_path / "vis").rglob("*") if path.suffix in (".jpg", ".png")]
    assert len(pictures) >= 12


def test_training_steps_are_timed(run, config_path, tmp_path):
    report = tmp_path / "report.json"
    arguments = ("--size", 64, 96, "--steps", 2, "--warmup", 1, "--device", "cpu", "--json", report)
    done = run("tools/benchmark", config_path, *arguments)
    assert done.code == 0, done.err
    (case,) = json.loads(report.read_text())["cases"]
    assert case["figures"]["steps_not_finite"] == 0


def test_work_and_levels_are_told(run, config_path):
    done = run("tools/model_info", config_path, "--size", 64, 96)
    assert done.code == 0, done.err
    assert "rpn_head" in done.out
    assert "16 x 24" in done.out


def test_points_are_not_shown_where_boxes_learn(run, config_path, tmp_path):
    done = run("tools/browse_dataset", config_path, "--out", tmp_path / "pairs")
    assert done.code == 2
    assert "learns from boxes, not from points" in done.err
    assert not list((tmp_path / "pairs").glob("*.jpg"))
