"""The first stage of MaskTrack R-CNN gives the recorded numbers (BASELINES.md 1.3, 3.1, 3.2)."""

import pytest

from mmdet.parity.masktrack_rcnn.first_stage import box_part_checks, nms_part_checks
from mmdet.parity.masktrack_rcnn.rpn import (
    FirstStage,
    assignment_part_checks,
    evaluation_checks,
    region_assignment_checks,
    training_checks,
)

SYSTEM, SEED = "masktrack_rcnn", 0


@pytest.fixture(scope="module")
def stage(drawn_state):
    return FirstStage.make(drawn_state(SYSTEM, SEED))


@pytest.mark.parametrize("checks", [box_part_checks, nms_part_checks, assignment_part_checks])
def test_parts(checks, recorded_parts, assert_all):
    assert_all(checks(recorded_parts(SYSTEM)))


def test_maps_and_proposals_of_a_frame(stage, recorded, images_of, assert_all):
    arrays, notes = recorded(SYSTEM, SEED)
    assert_all(evaluation_checks(stage, images_of(SYSTEM, SEED)[:1], arrays, notes))


def test_what_anchors_learn_with_losses_and_gradients(stage, recorded, images_of, assert_all):
    arrays, notes = recorded(SYSTEM, SEED)
    assert_all(training_checks(stage, images_of(SYSTEM, SEED, "img_q"), arrays, notes))


def test_what_proposals_learn(recorded, assert_all):
    assert_all(region_assignment_checks(recorded(SYSTEM, SEED)[0]))
