"""Greedy NMS against one box after the other, and against what was recorded."""

import pytest
import torch

from mmdet.ops.boxes import pairwise_iou
from mmdet.ops.greedy_nms import batched_greedy_nms


def random_boxes(count, seed, side=60):
    source = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=source) * side
    return torch.cat((corner, corner + 5 + 30 * torch.rand(count, 2, generator=source)), dim=1)


def one_by_one(boxes, labels, valid, threshold):
    kept = []
    for row in range(len(boxes)):
        rivals = [other for other in kept if labels[other] == labels[row]]
        overlap = pairwise_iou(boxes[row : row + 1], boxes[rivals], offset=1)
        if valid[row] and not (overlap > threshold).any():
            kept.append(row)
    return kept


@pytest.mark.parametrize("threshold", [0.2, 0.5])
def test_the_same_boxes_are_kept_as_one_by_one(threshold):
    boxes = torch.stack([random_boxes(80, seed) for seed in range(3)])
    labels = torch.randint(3, (3, 80), generator=torch.Generator().manual_seed(9))
    valid = torch.rand(3, 80, generator=torch.Generator().manual_seed(8)) > 0.2
    found = batched_greedy_nms(boxes, labels, valid, threshold)
    for image in range(3):
        expected = one_by_one(boxes[image], labels[image], valid[image], threshold)
        assert found[image].nonzero()[:, 0].tolist() == expected
        assert 0 < len(expected) < valid[image].sum()


def test_a_removed_box_removes_no_other_along_a_long_chain():
    start = 4.0 * torch.arange(150)  # each overlaps its neighbours alone by more than a half
    boxes = torch.stack((start, 0 * start, start + 13, 0 * start + 20), dim=1)[None]
    ones = torch.ones(1, 150, dtype=torch.bool)
    kept = batched_greedy_nms(boxes, ones.long(), ones, 0.5)[0]
    assert kept.tolist() == [row % 2 == 0 for row in range(150)]


@pytest.mark.parametrize("threshold", [0.5, 0.7])
def test_recorded_boxes_are_kept_in_their_order(shared, threshold):
    import numpy as np

    parts = np.load(shared / "golden_baselines" / "masktrack_rcnn" / "parts.npz")
    rows = torch.from_numpy(parts["nms_dets"])
    order = rows[:, 4].argsort(descending=True, stable=True)
    ones = torch.ones(1, len(rows), dtype=torch.bool)
    kept = batched_greedy_nms(rows[order][None, :, :4], ones.long(), ones, threshold)[0]
    assert np.array_equal(order[kept], parts[f"nms_keep_{round(threshold * 10)}"])
