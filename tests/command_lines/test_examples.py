"""The parts of docs/examples: each does what its file says, and their config trains and tests."""

import importlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mmdet.config import load_config
from mmdet.config.names import CONFIGS
from mmdet.datasets import ItemKey, RawFrame
from mmdet.errors import UserError
from mmdet.models.build import build_model
from mmdet.registry import ASSIGNERS, DATASETS, NECKS, TRACKERS, TRANSFORMS
from mmdet.structures import FrameObjects, FrameTruth, PointGrid
from mmdet.structures.padded_truth import pad_truths

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
PROGRAMS = {"onnx_stream.py", "onnx_stream_plus.py", "count_error.py"}  # and not parts
PARTS = sorted(path for path in EXAMPLES.glob("*.py") if path.name not in {"own_parts.py", *PROGRAMS})


@pytest.fixture
def on_the_tiny_set(tiny_set):
    """Overrides that point the config at the tiny set."""
    values = ["data.train.workers=0", "data.test.workers=0"]
    for section, name in (("train.datasets.0", "train"), ("test.dataset", "valid")):
        values.append(f"data.{section}.ann_file={tiny_set / 'annotations' / f'instances_{name}.json'}")
        values.append(f"data.{section}.img_prefix={tiny_set / f'{name}_images'}")
    return values


@pytest.fixture
def config():
    return load_config(EXAMPLES / "own_parts.py")


def test_the_config_trains_and_tests(run, on_the_tiny_set, tmp_path):
    trained = run(
        "train", EXAMPLES / "own_parts.py", "--work_dir", tmp_path / "work", "--cfg-options", "schedule.steps=2",
        "runtime.log_every=1", *on_the_tiny_set,
    )  # fmt: skip
    assert trained.code == 0, trained.err
    logged = [json.loads(line) for line in (tmp_path / "work" / "train.jsonl").read_text().splitlines()]
    assert {"loss_calm", "loss_cls", "sigma"} <= logged[0].keys()
    tested = run(
        "test_video", EXAMPLES / "own_parts.py", tmp_path / "work" / "step_2.pth", "--out", tmp_path / "results.pkl",
        "--cfg-options", "model.postprocess.score_threshold=0.0001", *on_the_tiny_set,
    )  # fmt: skip
    assert tested.code == 0, tested.err
    assert json.loads((tmp_path / "results.pkl.json").read_text())


@pytest.mark.parametrize("path", PARTS, ids=lambda path: path.stem)
def test_every_example_is_used_by_the_config_and_listed(path):
    assert f'"{path.stem}"' in (EXAMPLES / "own_parts.py").read_text()
    assert f"({path.name})" in (EXAMPLES / "README.md").read_text()
    assert len(path.read_text().splitlines()) <= 70


def test_copied_to_a_folder_outside_of_the_repository_the_parts_train(on_the_tiny_set, tmp_path):
    for path in (*PARTS, EXAMPLES / "own_parts.py"):
        shutil.copy(path, tmp_path)
    text = (tmp_path / "own_parts.py").read_text()
    base = str(CONFIGS / "_base_" / "runtime.py")
    (tmp_path / "own_parts.py").write_text(text.replace("../../configs/_base_/runtime.py", base))
    words = ["train", "own_parts.py", "--work_dir", "work", "--cfg-options", "schedule.steps=2", *on_the_tiny_set]
    ended = subprocess.run(
        [sys.executable, "-m", "mmdet", *words], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=200
    )
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "work" / "step_2.pth").is_file()


def test_every_kind_of_part_has_its_contract_and_its_file_on_the_page():
    page = (EXAMPLES.parent / "extending.md").read_text()
    for kind in ("BACKBONES", "NECKS", "HEADS", "CRITERIA", "ASSIGNERS", "TRACKERS", "TRANSFORMS", "DATASETS"):
        (linked,) = re.findall(rf"^## .*`{kind}`, \[(\w+\.py)\]\(examples/\1\)$", page, re.MULTILINE)
        assert f"@{kind}.register_module()" in (EXAMPLES / linked).read_text()
    for link in re.findall(r"\]\(([^)#]+)", page):
        assert (EXAMPLES.parent / link).exists(), link


def test_the_neck_gives_the_head_what_it_promises(config):
    neck = NECKS.build({"type": "PlainNeck", "in_channels": (4, 8, 16), "channels": 6})
    maps = [torch.zeros(2, width, 32 // s, 96 // s) for width, s in ((4, 8), (8, 16), (16, 32))]
    assert [tuple(level.shape) for level in neck(maps)] == [(2, 6, 4, 12), (2, 6, 2, 6), (2, 6, 1, 3), (2, 6, 1, 2)]
    assert (neck.channels, len(neck.strides)) == (6, 4)


def test_the_assigner_takes_the_points_nearest_to_each_object(config):
    points = PointGrid.make((32, 32), ((4, 4), (2, 2)), (8, 16), torch.device("cpu"))
    objects = FrameTruth(
        boxes=torch.tensor([[0.0, 0, 16, 16], [16, 16, 32, 32]]),
        labels=torch.zeros(2, dtype=torch.int64),
        masks=torch.ones(2, 32, 32, dtype=torch.bool),
        instance_ids=torch.arange(2),
        is_crowd=torch.zeros(2, dtype=torch.bool),
    )
    truth = pad_truths([(objects, objects)], [torch.zeros(2, 4)], (32, 32))
    found = ASSIGNERS.build({"type": "NearestAssigner", "per_level": 1})(points, torch.zeros(1, 20, 4), truth)
    chosen = points.xy[found.slots[0][found.slot_valid[0]]].tolist()
    assert chosen[1::2] == [[8.0, 8.0], [24.0, 24.0]]  # on the coarse level
    assert found.positive.sum() == 4
    assert (found.positive ^ found.negative).all()


def test_the_metric_counts_tracks_and_not_entries(config, tmp_path, tiny_set, capsys, monkeypatch):
    metric = importlib.import_module("count_error")
    truth = json.loads((tiny_set / "annotations" / "instances_valid.json").read_text())
    entries = [
        {**{key: one[key] for key in ("video_id", "category_id", "segmentations")}, "score": 0.5}
        for one in truth["annotations"]
    ]
    assert metric.count_error(truth, entries, 0.3) == {"count_error": 0.0, "count_bias": 0.0}
    assert metric.count_error(truth, entries, 0.6)["count_bias"] == -len(entries) / len(truth["videos"])
    other = next(row["id"] for row in truth["categories"] if row["id"] != entries[0]["category_id"])
    assert metric.count_error(truth, [*entries, {**entries[0], "category_id": other}], 0.3)["count_error"] == 0.0
    (tmp_path / "results.json").write_text(json.dumps(entries[1:]))
    words = ["count_error.py", tiny_set / "annotations" / "instances_valid.json", tmp_path / "results.json", "0.3"]
    monkeypatch.setattr(sys, "argv", list(map(str, words)))
    metric.main()
    assert capsys.readouterr().out.splitlines() == ["count_error 0.333", "count_bias -0.333"]


def test_the_model_learns_of_every_term(config):
    model = build_model(config)
    outputs = model(torch.rand(1, 2, 3, 64, 96), torch.ones(1, 2, 64, 96, dtype=torch.bool))
    assert outputs.cls_logits.shape == (1, 8 * 12 + 4 * 6 + 2 * 3 + 1 * 2, 5)
    assert outputs.mask_basis.shape == (1, 32, 32, 48)


def test_an_argument_out_of_range_is_refused_when_the_config_is_loaded():
    with pytest.raises(UserError, match="width"):
        load_config(EXAMPLES / "own_parts.py", ["model.backbone.width=0"])


def objects(*boxes):
    rows = len(boxes)
    return FrameObjects(
        boxes=torch.tensor(boxes, dtype=torch.float32).view(rows, 4),
        labels=torch.zeros(rows, dtype=torch.int64),
        scores=torch.linspace(1, 0.5, rows),
        box_sigma=torch.zeros(rows, 4),
        centerness=torch.ones(rows),
        embeddings=torch.zeros(rows, 2),
    )


def test_the_tracker_follows_overlapping_boxes_and_never_repeats_an_id(config):
    tracker = TRACKERS.build(config.tracker)
    state, first = tracker.assign(tracker.start(), objects([0, 0, 10, 10], [20, 0, 30, 10]))
    state, second = tracker.assign(state, objects([21, 0, 31, 10], [50, 0, 60, 10]))
    state, third = tracker.assign(state, objects([0, 0, 10, 10]))
    assert [first.tolist(), second.tolist(), third.tolist()] == [[0, 1], [1, 2], [3]]
    assert tracker.assign(state, objects())[1].tolist() == []


def test_the_data_set_repeats_its_frames_with_other_draws(config, tiny_set):
    part = {
        **config.data.train.datasets[0],
        "ann_file": str(tiny_set / "annotations" / "instances_train.json"),
        "img_prefix": str(tiny_set / "train_images"),
    }
    repeated = DATASETS.build(part)
    count = len(repeated.once)
    assert repeated.epoch_items(0).tolist() == list(range(2 * count))
    first, again, second = (repeated[ItemKey(0, index)] for index in (1, 1, count + 1))
    assert torch.equal(first.images, again.images)
    assert first.metas[0].frame_index == second.metas[0].frame_index
    assert not torch.equal(first.images, second.images)


def test_the_transform_changes_all_frames_of_a_clip_alike():
    transform = TRANSFORMS.build({"type": "RandomBrightness", "low": 0.5, "high": 0.5})
    frame = RawFrame(
        image=np.full((2, 3, 3), 101, np.uint8),
        boxes=np.zeros((0, 4), np.float32),
        masks=np.zeros((0, 2, 3), np.uint8),
        scale=1.0,
        original_size=(2, 3),
    )
    assert [one.image.tolist() for one in transform([frame, frame], np.random.default_rng(0))] == [
        np.full((2, 3, 3), 50).tolist()
    ] * 2


def test_the_hook_ends_a_run_when_its_time_is_used_up_and_goes_on_counting(run, on_the_tiny_set, tmp_path):
    def train(minutes, *options):
        return run(
            "train", EXAMPLES / "own_parts.py", "--work_dir", tmp_path, *options, "--cfg-options", "schedule.steps=3",
            f"custom_hooks.0.minutes={minutes}", "runtime.log_every=1", *on_the_tiny_set,
        )  # fmt: skip

    short = train(1e-9)
    assert short.code == 0, short.err
    text = (tmp_path / "train.log").read_text()
    assert "stopped after step 1 of 3: 1e-09 minutes are over" in text
    first = json.loads((tmp_path / "train.jsonl").read_text().splitlines()[0])
    assert first["minutes"] > 0
    again = train(60, "--resume_from", "auto")
    assert again.code == 0, again.err
    logged = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in logged] == [1, 2, 3]
    assert logged[1]["minutes"] > first["minutes"]


def test_a_hook_is_checked_like_any_part_when_the_config_is_loaded():
    with pytest.raises(UserError, match=r"config.custom_hooks.0.minutes is -1, expected more than 0"):
        load_config(EXAMPLES / "own_parts.py", ["custom_hooks.0.minutes=-1"])
    with pytest.raises(UserError, match=r"config.custom_hooks.0: FPN is a neck, expected a hook; known: TimeBudget"):
        load_config(EXAMPLES / "own_parts.py", ["custom_hooks.0.type=FPN"])
