"""Pictures of a validation: which videos and frames, what is drawn, and frames that cannot be read."""

import json
import random

import numpy as np
import pytest
import torch

from mmdet.datasets import VISDataset
from mmdet.datasets.synthetic.demo_set import generate_demo_set
from mmdet.engine.training.logs import shown_videos as room
from mmdet.engine.training.logs.shown_videos import shown_videos
from mmdet.evaluation.loaded_results import rebuild_results

NUM_VIDEOS = 5


@pytest.fixture(scope="module")
def made_set(tmp_path_factory):
    root = tmp_path_factory.mktemp("set")
    generate_demo_set(root, train_videos=1, valid_videos=NUM_VIDEOS, length=6, size=(64, 96))
    return root


def dataset_of(root, annotations=None):
    path = annotations or root / "annotations/instances_valid.json"
    return VISDataset(str(path), str(root / "valid_images"), [], test_mode=True)


def truth_as_results(root, dataset, score=0.9):
    """Return the truth as what was predicted."""
    entries = json.loads((root / "annotations/instances_valid.json").read_text())["annotations"]
    keys = ("video_id", "category_id", "segmentations")
    results = [{**{key: entry[key] for key in keys}, "score": score} for entry in entries]
    return rebuild_results(results, dataset.videos, dataset.category_ids, dataset.ann_file)


def halves(sheet):
    """Return the tiles of truth and predictions without the lines of text above them."""
    middle = len(sheet) // 2
    return sheet[room.BAND_HEIGHT_PX : middle], sheet[middle + room.BAND_HEIGHT_PX :]


def test_the_shown_videos_are_spread_evenly_and_always_the_same(made_set):
    dataset = dataset_of(made_set)
    results = truth_as_results(made_set, dataset)
    for most, expected in ((0, []), (1, [0]), (2, [0, 4]), (3, [0, 2, 4]), (9, [0, 1, 2, 3, 4])):
        first = shown_videos(dataset, results, dataset.class_names, 0.5, most)
        assert list(first) == [f"valid_{index:04d}" for index in expected]
        again = shown_videos(dataset, results, dataset.class_names, 0.5, most)
        assert all(np.array_equal(sheet, again[name]) for name, sheet in first.items())


def test_a_sheet_is_of_bounded_size(made_set):
    dataset = dataset_of(made_set)
    (sheet,) = shown_videos(dataset, truth_as_results(made_set, dataset), dataset.class_names, 0.5, 1).values()
    assert sheet.shape == (2 * (213 + room.BAND_HEIGHT_PX), 4 * 320 + 3 * 4, 3)


def test_only_predictions_of_at_least_the_threshold_are_drawn(made_set):
    dataset = dataset_of(made_set)
    results = truth_as_results(made_set, dataset, score=0.5)
    drawn = shown_videos(dataset, results, dataset.class_names, 0.5, 1)["valid_0000"]
    bare = shown_videos(dataset, results, dataset.class_names, 0.6, 1)["valid_0000"]
    assert np.array_equal(halves(drawn)[0], halves(bare)[0])  # the truth is drawn in both
    assert np.abs(halves(drawn)[1].astype(int) - halves(bare)[1]).mean() > 2
    frame, _ = dataset.frame_truth(0, 0)
    tile = halves(bare)[1][:, :320].astype(int)
    assert np.abs(tile[::40, ::40].mean(axis=2) - frame[::12, ::12][: len(tile[::40]), :8].mean(axis=2)).mean() < 12


def test_a_frame_that_cannot_be_read_is_grey(made_set, monkeypatch):
    dataset = dataset_of(made_set)
    monkeypatch.setattr(dataset._reader, "img_prefix", "nowhere")
    sheet = shown_videos(dataset, truth_as_results(made_set, dataset), dataset.class_names, 0.95, 1)["valid_0000"]
    assert (halves(sheet)[0][:, :320] == room.GREY).all()


def test_of_a_video_with_some_annotated_frames_these_are_shown(made_set, tmp_path):
    truth = json.loads((made_set / "annotations/instances_valid.json").read_text())
    for video in truth["videos"]:
        video["annotated_frames"] = [1, 4]
    (tmp_path / "some.json").write_text(json.dumps(truth))
    dataset = dataset_of(made_set, tmp_path / "some.json")
    assert room._frames(dataset.videos[0]) == [1, 4]
    sheet = shown_videos(dataset, truth_as_results(made_set, dataset), dataset.class_names, 0.5, 1)["valid_0000"]
    assert sheet.shape[1] == 2 * 320 + 4


def test_drawing_draws_no_random_numbers(made_set):
    dataset = dataset_of(made_set)
    before = random.getstate(), torch.get_rng_state().tolist()
    shown_videos(dataset, truth_as_results(made_set, dataset), dataset.class_names, 0.5, 1)
    assert (random.getstate(), torch.get_rng_state().tolist()) == before
