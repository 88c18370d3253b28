"""The first stage of MaskTrack R-CNN gives the recorded numbers (BASELINES.md 1.3, 3.1, 3.2)."""

import pytest

from mmdet.parity.masktrack_rcnn.first_stage import box_part_checks, nms_part_checks

SYSTEM = "masktrack_rcnn"


@pytest.mark.parametrize("checks", [box_part_checks, nms_part_checks])
def test_parts(checks, recorded_parts, assert_all):
    assert_all(checks(recorded_parts(SYSTEM)))
