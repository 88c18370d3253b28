"""Detections of FCOS: the order of the rows, thresholds, borders, and masks that are the boxes."""

import pytest
import torch

from mmdet.models.postprocess.dense import DensePostProcess
from mmdet.models.postprocess.masks import draw_masks
from mmdet.structures import FrameMeta, PointGrid
from mmdet.structures.chunk_detections import split_rows, unpack_rows
from mmdet.structures.dense_outputs import DenseOutputs

POINTS = PointGrid.make((64, 64), ((8, 8), (4, 4)), (8, 16), torch.device("cpu"))
COUNT, CLASSES, SIDE = 80, 3, 3.0
META = FrameMeta(video_id=1, frame_index=0, original_size=(120, 128), input_size=(60, 64), scale=0.5)


def outputs(peaks, distance=SIDE, centerness=20.0):
    """`peaks`: probability by (point, class); elsewhere it is next to nothing."""
    probs = torch.full((1, COUNT, CLASSES), 1e-6)
    for place, value in peaks.items():
        probs[0][place] = value
    return DenseOutputs(
        points=POINTS,
        cls_logits=probs.logit(),
        distances=torch.full((1, COUNT, 4), distance),
        centerness_logits=torch.full((1, COUNT), centerness),
    )


def detect(out, **settings):
    return unpack_rows(DensePostProcess(**settings).detect(out, [META]).rows)[0]


PEAKS = {(3, 2): 0.9, (50, 0): 0.3, (20, 0): 0.6, (70, 2): 0.95}


def test_few_detections_are_sorted_by_class_then_level_and_point():
    found = detect(outputs(PEAKS))
    assert found.labels.tolist() == [0, 0, 2, 2]
    assert found.scores.tolist() == pytest.approx([0.6, 0.3, 0.9, 0.95])


def test_too_many_are_sorted_by_score():
    found = detect(outputs(PEAKS), max_per_image=3)
    assert found.scores.tolist() == pytest.approx([0.95, 0.9, 0.6])


def test_the_threshold_looks_at_the_probability_before_centerness():
    found = detect(outputs({(3, 0): 0.06, (20, 0): 0.04}, centerness=0.0))
    assert found.scores.tolist() == pytest.approx([0.03])


def test_a_better_detection_removes_others_of_its_class_only():
    found = detect(outputs({(20, 0): 0.5, (20, 1): 0.4, (21, 0): 0.6}, distance=20.0))
    assert found.labels.tolist() == [0, 1]
    assert found.scores.tolist() == pytest.approx([0.6, 0.4])


def test_only_the_best_points_of_a_level_are_candidates():
    found = detect(outputs(PEAKS), max_pre_nms=1)
    assert found.scores.tolist() == pytest.approx([0.9, 0.95])  # of the first level and of the second


def test_boxes_end_at_the_last_pixel_of_the_frame_before_its_padding():
    (box,) = detect(outputs({(36, 0): 0.9}, distance=100.0)).boxes.tolist()
    assert box == [0, 0, 126, 118]  # (63, 59) in the input, of half the size


def test_without_metas_boxes_stay_in_input_pixels():
    rows = DensePostProcess().detect(outputs({(36, 0): 0.9}, distance=100.0), None).rows
    assert unpack_rows(rows)[0].boxes.tolist() == [[0, 0, 63, 63]]


def test_nothing_is_found_where_nothing_is_likely():
    found = DensePostProcess(max_per_image=5).detect(outputs({}), [META])
    assert len(unpack_rows(found.rows)[0]) == 0
    named = split_rows(found.rows)
    assert not named["filled"].any()
    assert named["embeddings"].shape == (1, 5, 0)


def test_masks_are_the_boxes_filled():
    found = DensePostProcess().detect(outputs(PEAKS), [META])
    masks = draw_masks(found, [[0, 2]], META)
    assert masks.shape == (2, *META.original_size)
    boxes = unpack_rows(found.rows)[0].boxes[[0, 2]]
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.int().tolist(), strict=True):
        expected = torch.zeros_like(mask)
        expected[y1:y2, x1:x2] = True
        assert torch.equal(mask, expected)
