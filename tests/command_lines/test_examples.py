"""The parts of docs/examples: each does what its file says, and their config trains and tests."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mmdet.config import load_config
from mmdet.datasets import ItemKey, RawFrame
from mmdet.errors import UserError
from mmdet.models.build import build_model
from mmdet.registry import DATASETS, TRACKERS, TRANSFORMS
from mmdet.structures import FrameObjects

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
PROGRAMS = {"onnx_stream.py"}  # and not parts
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
