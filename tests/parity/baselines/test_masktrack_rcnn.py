"""MaskTrack R-CNN as a whole gives the recorded numbers, in testing and in training (BASELINES.md 3 and 7)."""

import json
import os
from pathlib import Path

import pytest

from mmdet.parity.masktrack_rcnn import inference, training

SYSTEM = "masktrack_rcnn"


def failed(checks):
    checks = list(checks)
    assert checks
    return [str(check) for check in checks if not check.passed]


def seeds():
    """The recorded seeds that are in the folder of larger test data; at least the first is asked for."""
    folder = Path(os.environ.get("MEMCNP_SHARED", "")) / "golden_baselines" / SYSTEM
    return sorted(int(path.name.removeprefix("seed")) for path in folder.glob("seed*")) or [0]


@pytest.fixture(scope="module", params=seeds())
def seed(request):
    return request.param


@pytest.fixture(scope="module")
def model(seed, baselines):
    shapes = json.loads((baselines / SYSTEM / "state_dict_shapes.json").read_text())
    return inference.recorded_model(seed, shapes)


@pytest.fixture(scope="module")
def clips(model, seed, recorded):
    arrays, notes = recorded(SYSTEM, seed)
    return [inference.track_clip(model, arrays, notes, video) for video in (0, 1)]


def test_regions_have_the_recorded_features_scores_and_boxes(model, seed, recorded):
    assert not failed(inference.region_checks(model, *recorded(SYSTEM, seed)))


def test_small_masks_are_the_recorded_ones(model, seed, recorded):
    assert not failed(inference.mask_logit_checks(model, *recorded(SYSTEM, seed)))


@pytest.mark.parametrize("video", [0, 1])
def test_detections_vectors_and_ids_are_the_recorded_ones(clips, seed, recorded, video):
    arrays, _ = recorded(SYSTEM, seed)
    assert not failed(inference.clip_checks(*clips[video], arrays, video))


@pytest.mark.parametrize("seed", [0], indirect=True)
def test_b6_a_video_whose_first_frame_shows_nothing_starts_anew(clips, baselines):
    notes = json.loads((baselines / SYSTEM / "parts.json").read_text())
    assert not failed(inference.empty_start_checks(clips[0][0], notes["ids_empty_first_frame"]))


@pytest.mark.parametrize("video", [0, 1])
def test_masks_of_tracks_are_the_recorded_ones(clips, seed, baselines, video):
    rles = json.loads((baselines / SYSTEM / f"seed{seed}" / "rles.json").read_text())
    assert not failed(inference.mask_checks(clips[video][0], rles[f"v{video}"]))


def test_the_result_file_is_the_recorded_one(clips, seed, baselines):
    expected = json.loads((baselines / SYSTEM / f"seed{seed}" / "results_videoseg.json").read_text())
    assert not failed(inference.result_checks([clip.result for clip, _ in clips], expected))


def test_proposals_of_training_learn_the_recorded_objects(model, seed, recorded):
    assert not failed(training.assignment_checks(model, *recorded(SYSTEM, seed)))


def test_losses_are_the_recorded_ones(model, seed, recorded):
    assert not failed(training.loss_checks(model, *recorded(SYSTEM, seed)))


def test_gradients_are_the_recorded_ones(model, seed, recorded):
    assert not failed(training.gradient_checks(model, *recorded(SYSTEM, seed)))
