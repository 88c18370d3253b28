"""The small model in evaluation: network outputs, detections, ids, masks and result json of two six-frame clips."""

import pytest

from mmdet.parity import inference as golden_eval


@pytest.fixture
def clip(small_model, golden, size):
    return golden_eval.track_clip(small_model, golden.eval[size], golden.notes[size], video_id=1)


def test_backbone_and_neck_maps(small_model, golden, size, assert_all):
    assert_all(golden_eval.network_checks(small_model, golden.eval[size]))


def test_head_outputs(small_model, golden, size, assert_all):
    assert_all(golden_eval.head_checks(small_model, golden.eval[size]))


def test_detections_and_ids_of_the_clip(clip, golden, size, assert_all):
    assert_all(golden_eval.detection_checks(clip, golden.eval[size]))


def test_masks_of_the_clip(clip, golden, size, assert_all):
    assert_all(golden_eval.mask_checks(clip, golden.rles[size]))


def test_result_json_of_both_clips(small_model, golden, assert_all):
    results = [
        golden_eval.track_clip(small_model, golden.eval[size], golden.notes[size], video_id=video).result
        for video, size in enumerate(golden.sizes, start=1)
    ]
    assert_all(golden_eval.result_checks(results, golden.results, small_model.num_classes))
