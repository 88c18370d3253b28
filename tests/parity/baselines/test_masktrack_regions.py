"""Regions of MaskTrack R-CNN: the recorded RoIAlign and mask targets."""

from mmdet.parity.masktrack_rcnn.regions import mask_target_checks, roi_align_checks

SYSTEM = "masktrack_rcnn"


def failed(checks):
    checks = list(checks)
    assert checks
    return [str(check) for check in checks if not check.passed]


def test_regions_are_read_as_recorded_thin_inverted_and_outlying_ones_too(recorded_parts):
    assert not failed(roi_align_checks(recorded_parts(SYSTEM)))


def test_masks_of_regions_are_resized_as_recorded(recorded):
    arrays, _ = recorded(SYSTEM, 0)
    assert not failed(mask_target_checks(arrays, [4 * side for side in arrays["img_q"].shape[2:]]))
