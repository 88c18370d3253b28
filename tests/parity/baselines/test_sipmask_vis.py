"""SipMask-VIS with drawn weights gives the recorded parts, maps, detections, masks, targets, losses and gradients."""

import json
import os
from pathlib import Path

import pytest
import torch

from mmdet.config import load_config
from mmdet.models.build import build_model
from mmdet.parity import sipmask_vis as inference
from mmdet.parity import sipmask_vis_training as training
from mmdet.registry import TRACKERS

CONFIG = Path(__file__).parents[3] / "configs" / "baselines" / "sipmask_vis_r50_1x.py"
SYSTEM = "sipmask_vis"
RECORDED = Path(os.environ.get("MEMCNP_SHARED", "")) / "golden_baselines" / SYSTEM
SEEDS = sorted(int(folder.name.removeprefix("seed")) for folder in RECORDED.glob("seed*")) or [0]
PARAMETERS, TRAINABLE = 33_433_394, 33_157_874  # BASELINES.md 2


@pytest.fixture(scope="module")
def config():
    return load_config(CONFIG)


@pytest.fixture(scope="module", params=SEEDS)
def seed(request):
    return request.param


@pytest.fixture(scope="module")
def model(config, seed, baselines):
    shapes = json.loads((baselines / SYSTEM / "state_dict_shapes.json").read_text())
    return inference.load_drawn(build_model(config), seed, shapes)


@pytest.fixture(scope="module")
def numbers(recorded, seed):
    return recorded(SYSTEM, seed)


@pytest.fixture(scope="module")
def rles(baselines, seed):
    return json.loads((baselines / SYSTEM / f"seed{seed}" / "rles.json").read_text())


@pytest.fixture(scope="module")
def tracker(config):
    return TRACKERS.build(config.tracker)


@pytest.fixture(scope="module")
def clips(model, tracker, numbers):
    return [inference.track_clip(model, tracker, *numbers, video) for video in range(inference.NUM_VIDEOS)]


def test_the_model_has_the_published_number_of_parameters(config):
    parameters = list(build_model(config).parameters())
    assert sum(parameter.numel() for parameter in parameters) == PARAMETERS
    assert sum(parameter.numel() for parameter in parameters if parameter.requires_grad) == TRAINABLE


def test_crop_split_and_nms_are_the_recorded(recorded_parts, assert_all):
    assert_all(inference.part_checks(recorded_parts(SYSTEM)))


def test_the_track_rule_is_the_recorded(recorded_parts, tracker, assert_all):
    assert_all(inference.track_part_checks(tracker, recorded_parts(SYSTEM)))


def test_targets_of_made_up_objects_are_the_recorded(config, recorded_parts, assert_all):
    assert_all(training.target_part_checks(build_model(config), recorded_parts(SYSTEM)))


def test_maps_of_a_frame_are_the_recorded(model, numbers, assert_all):
    assert_all(inference.network_checks(model, *numbers))


@pytest.mark.parametrize("video", range(inference.NUM_VIDEOS))
def test_detections_ids_and_masks_are_the_recorded(clips, rles, numbers, video, assert_all):
    assert_all(inference.clip_checks(*clips[video], numbers[0], video))
    assert_all(inference.mask_checks(clips[video][0], rles[f"v{video}"]))


def test_masks_lie_by_the_ratio_of_sizes_and_the_given_factor_is_the_other_recorded_form(
    model, clips, rles, numbers, assert_all
):
    """B5: kept as in the release's torch."""
    assert_all(inference.given_factor_checks(model, clips[0][0], rles["v0_given_factor"], *numbers))
    ours = inference.mask_checks(clips[0][0], rles["v0_given_factor"])
    assert not all(check.passed for check in ours)


def test_the_result_json_is_the_recorded(clips, baselines, seed, model, assert_all):
    recorded = json.loads((baselines / SYSTEM / f"seed{seed}" / "results_videoseg.json").read_text())
    assert_all(inference.result_checks([clip.result for clip, _ in clips], recorded, model.num_classes))


def test_targets_and_losses_are_the_recorded(model, numbers, assert_all):
    assert_all(training.target_checks(model, *numbers))
    assert_all(training.loss_checks(model, *numbers))


def test_gradients_are_the_recorded(model, numbers, assert_all):
    assert_all(training.gradient_checks(model, *numbers))


def test_a_first_frame_without_detections_starts_no_tracks_and_keeps_none(clips, tracker, baselines):
    """B6: the release carries on with the previous video's tracks, as recorded; here the next frame starts at 0."""
    released = json.loads((baselines / SYSTEM / "parts.json").read_text())["ids_empty_first_frame"]
    clip, _ = clips[0]
    state, none = tracker.assign(tracker.start(), clip.detections[0][:0])
    assert none.tolist() == released[3] == []
    assert len(state) == 0
    _, ids = tracker.assign(state, clip.detections[3])
    assert ids.tolist() == list(range(len(ids))) != released[4]


def test_detections_do_not_change_when_the_tracks_do(tracker, recorded_parts):
    """B10: the release's detections share memory with the tracks on the CPU."""
    arrays = recorded_parts(SYSTEM)
    frames = list(inference.recorded_frames(arrays))
    before = [frame.boxes.clone() for frame in frames]
    state = tracker.start()
    for frame in frames:
        state, _ = tracker.assign(state, frame)
    assert all(torch.equal(frame.boxes, boxes) for frame, boxes in zip(frames, before, strict=True))
