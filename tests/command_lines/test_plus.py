"""The second model on the tiny set, as people use it: trained, resumed, tested, let loose on videos, looked at."""

import json
import math
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mmdet.config import load_config
from mmdet.engine.checkpoints.file import load_checkpoint
from mmdet.engine.inference.predictor import VideoPredictor
from mmdet.visualization.pairs import sheet

HEAD = "tower_depth=1, embedding_channels=16, mask_channels=4, mask_width=16"
READING = """
                reference_masks=True,
                transforms=[
                    dict(type="CopyPaste", probability=0.5),
                    dict(type="ColorJitter"),
                    dict(type="ResizeKeepRatio", long_edge=(96, 128), short_edge=(64, 96), aligned_masks=True),
                    dict(type="RandomFlip"),
                ],
"""
MEMORY = "model.head.memory={'type': 'CNPMemory', 'num_slots': 8}"


@pytest.fixture(scope="module")
def plus_config(write_vit_config):
    return write_vit_config("memcnp_plus", HEAD, reading=READING)


@pytest.fixture(scope="module")
def plus_run(plus_config, train_for, tmp_path_factory):
    """The work dir of a run of two steps with validation."""
    work_dir = tmp_path_factory.mktemp("plus")
    train_for(plus_config, work_dir, options=["--validate"])
    return work_dir


def test_training_and_validation_write_down_every_loss(plus_run):
    lines = [json.loads(line) for line in (plus_run / "train.jsonl").read_text().splitlines()]
    terms = {"cls", "bbox", "sigma", "dice", "bce", "quality", "match"}
    steps = [line for line in lines if "loss_cls" in line]
    assert len(steps) == 2
    for line in steps:
        assert {f"loss_{term}" for term in terms} <= line.keys()
        assert all(math.isfinite(line[f"loss_{term}"]) for term in terms)
    assert any("AP" in line for line in lines)


def test_tensorboard_of_a_model_without_memory_has_all_figures_but_the_memorys(plus_run):
    board = EventAccumulator(str(plus_run / "tensorboard")).Reload()
    scalars = set(board.Tags()["scalars"])
    assert {"train/loss", "train/grad_norm", "train/loss_dice", "train/match_acc"} <= scalars
    assert not any("memory" in name for name in scalars)
    assert len(board.Tags()["images"]) == 2


def end_of(folder):
    checkpoint = load_checkpoint(folder / "epoch_1.pth")
    return checkpoint["model"], checkpoint["optimizer"]


def assert_equal(first, second):
    assert type(first) is type(second)
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        for key in first:
            assert_equal(first[key], second[key])
    elif isinstance(first, list | tuple):
        for one, other in zip(first, second, strict=True):
            assert_equal(one, other)
    else:
        assert torch.equal(first, second) if isinstance(first, torch.Tensor) else first == second


@pytest.mark.parametrize("values", [(), (MEMORY,)], ids=["plain", "memory"])
def test_a_resumed_run_ends_bit_for_bit_like_one_in_one_go(plus_config, train_for, tmp_path, values):
    train_for(plus_config, tmp_path / "whole", "schedule.steps=4", "runtime.checkpoint_every_steps=3", *values)
    half = tmp_path / "half"
    half.mkdir()
    shutil.copy(tmp_path / "whole" / "step_3.pth", half)
    train_for(plus_config, half, "schedule.steps=4", *values, options=["--resume_from", str(half / "step_3.pth")])
    assert_equal(end_of(half), end_of(tmp_path / "whole"))


def test_a_data_set_that_reads_no_reference_masks_is_told_the_remedy(run, plus_config, tmp_path):
    said = run(
        "train",
        plus_config,
        "--work_dir",
        tmp_path / "w",
        "--cfg-options",
        "data.train.datasets.0.reference_masks=False",
    )
    assert said.code == 2
    assert "set reference_masks=True in every data set" in said.err
    assert len(said.err.strip().splitlines()) == 1
    assert not [path for path in (tmp_path / "w").rglob("*") if path.is_file()]


def test_a_test_is_evaluated_and_drawn(run, tiny_set, plus_config, plus_run, tmp_path):
    out = tmp_path / "results.pkl"
    done = run(
        *("test_video", plus_config, plus_run / "step_2.pth", "--out", out, "--eval", "segm"),
        *("--show", "--save_vis_path", tmp_path / "vis", "--thresh", "0.0"),
    )
    assert done.code == 0, done.err
    assert "AP" in done.out
    entries = json.loads(Path(f"{out}.json").read_text())
    videos = json.loads((tiny_set / "annotations/instances_valid.json").read_text())["videos"]
    assert {entry["video_id"] for entry in entries} == {video["id"] for video in videos}
    assert all(len(entry["segmentations"]) == 4 and 0 <= entry["score"] <= 1 for entry in entries)
    pictures = [path for path in (tmp_path / "vis").rglob("*") if path.suffix in (".jpg", ".png")]
    assert len(pictures) >= 12
    assert all(cv2.imread(str(path)) is not None for path in pictures)


def test_a_track_counts_in_every_class_that_it_may_be(run, plus_config, plus_run, tmp_path):
    counts = []
    for share in (0.0, 1.0, 0.1):
        out = tmp_path / f"{share}.pkl"
        options = ("--cfg-options", f"tracker.label_share={share}")
        done = run("test_video", plus_config, plus_run / "step_2.pth", "--out", out, *options)
        assert done.code == 0, done.err
        entries = json.loads(Path(f"{out}.json").read_text())
        counts.append(len(entries))
        said = next(line for line in done.out.splitlines() if ", submission: " in line)
    assert counts[0] == counts[1] < counts[2]
    assert set(entries[0]) == {"video_id", "category_id", "score", "segmentations"}  # what servers know
    assert said.startswith(f"{counts[0]} tracks ({counts[2]} entries) in ")


def test_tracks_of_a_finished_video_are_joined_where_that_is_asked_for(run, plus_config, plus_run, tmp_path):
    counts = []
    for options in ((), ("--join_tracks",)):
        out = tmp_path / f"{len(options)}.pkl"
        share = ("--cfg-options", "tracker.label_share=0.0", "tracker.least=1.0")  # so that few ids go on
        done = run("test_video", plus_config, plus_run / "step_2.pth", "--out", out, *options, *share)
        assert done.code == 0, done.err
        counts.append(len(json.loads(Path(f"{out}.json").read_text())))
    assert counts[0] > counts[1] > 0


def test_joining_is_refused_where_there_is_nothing_to_join_by(run, config, checkpoint, plus_config, plus_run, tmp_path):
    done = run("test_video", config, checkpoint, "--out", tmp_path / "r.pkl", "--join_tracks")
    assert done.code == 2
    assert "--join_tracks: config.tracker Tracker joins no tracks" in done.err
    (tmp_path / "r.json").write_text("[]")
    done = run("test_video", plus_config, "--load_result", tmp_path / "r.json", "--eval", "segm", "--join_tracks")
    assert done.code == 2
    assert "--join_tracks needs what the model sees" in done.err


def test_the_released_tracker_tracks_the_second_model_too(run, plus_config, plus_run, tmp_path):
    out = tmp_path / "results.pkl"
    config = tmp_path / "config.py"
    config.write_text(f"_base_ = [{str(plus_config)!r}]\ntracker = dict(_delete_=True, type='Tracker')\n")
    done = run("test_video", config, plus_run / "step_2.pth", "--out", out)
    assert done.code == 0, done.err
    assert json.loads(Path(f"{out}.json").read_text())


def test_videos_are_predicted(predict, plus_config, plus_run, frames, tmp_path):
    out = tmp_path / "out"
    code, said = predict(plus_config, plus_run / "step_2.pth", frames, "--out", out, "--device", "cpu", "--thresh", "0")
    assert code == 0, said
    (written,) = out.glob("*.json")
    assert json.loads(written.read_text())


def test_training_pairs_are_drawn(run, plus_config, plus_run, tmp_path):
    for name, options in {"start": (), "trained": ("--checkpoint", plus_run / "step_2.pth", "--device", "cpu")}.items():
        out = tmp_path / name
        done = run("tools/browse_dataset", plus_config, "--out", out, "--number", 2, *options)
        said = done.out + done.err
        assert done.code == 0, said
        assert len(list(out.glob("pair_*.jpg"))) == 2
        assert "TaskAlignedAssigner" in said
        assert "positive points by stride" in said
        assert "memory" not in said


def test_pairs_of_the_test_set_show_what_training_on_it_would_teach(run, monkeypatch, plus_config, tmp_path):
    titles = []
    monkeypatch.setattr(sheet, "_titled", lambda picture, title: titles.append(title) or picture)
    arguments = ("--split", "test", "--out", tmp_path, "--number", 1)
    assert run("tools/browse_dataset", plus_config, *arguments).code == 0
    assert [title.partition(": ")[2] for title in titles[:2]] == ["boxes and masks"] * 2
    assert len(titles) == 3  # none of a memory


def test_training_steps_are_timed(run, plus_config, tmp_path):
    report = tmp_path / "report.json"
    arguments = ("--size", 64, 96, "--steps", 2, "--warmup", 1, "--device", "cpu", "--json", report)
    done = run("tools/benchmark", plus_config, *arguments)
    assert done.code == 0, done.err
    (case,) = json.loads(report.read_text())["cases"]
    assert case["figures"]["steps_not_finite"] == 0
    assert case["figures"]["pairs_per_second"] > 0


@pytest.mark.parametrize("which", ["published", "plus"])
def test_a_stream_gives_what_the_predictor_gives(which, plus_config, plus_run, config, checkpoint, frames):
    chosen = (plus_config, plus_run / "step_2.pth") if which == "plus" else (config, checkpoint)
    predictor = VideoPredictor.from_checkpoint(load_config(chosen[0]), chosen[1], device="cpu")
    pictures = [cv2.imread(str(path))[..., ::-1] for path in sorted(frames.iterdir())]
    stream = predictor.stream(pictures[0].shape[:2])
    pushed = [stream.push(np.ascontiguousarray(picture)) for picture in pictures]
    tracked = list(predictor.track(frames))
    assert len(tracked) == len(pushed) == 6
    assert any(len(tracks) for tracks in pushed)
    for one, other in zip(pushed, tracked, strict=True):
        assert one.track_ids.tolist() == other.track_ids.tolist()
        assert torch.equal(one.masks, other.masks)
    assert (pushed[0].objects.class_scores is not None) == (which == "plus")


def test_it_trains_on_longer_clips(plus_config, train_for, tmp_path):
    train_for(plus_config, tmp_path, "data.train.datasets.0.clip_length=3", "data.train.batch_size=1")
    lines = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    losses = [line["loss_match"] for line in lines if "loss_match" in line]
    assert len(losses) == 2
    assert all(0 < loss < math.inf for loss in losses)


def test_it_trains_with_rare_classes_repeated_and_says_so(plus_config, train_for, tmp_path, capsys):
    train_for(plus_config, tmp_path, "data.train.repeat_threshold=1.0")
    assert "repeat_threshold: frames of rare classes are repeated" in capsys.readouterr().err
