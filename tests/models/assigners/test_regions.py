"""The regions of the second stage: objects in front of proposals."""

import torch

from mmdet.models.assigners import MaxIoUAssigner, assign_regions
from mmdet.structures.two_stage_outputs import Proposals

NEAR, FAR = [10.0, 10, 28, 29], [60.0, 60, 79, 79]


def assign(truth, valid=(True, True)):
    boxes = torch.tensor([[NEAR, FAR]]).expand(len(truth.boxes), -1, -1)
    valid = torch.tensor(valid).expand(boxes.shape[:2])
    proposals = Proposals(boxes=boxes, scores=torch.zeros(boxes.shape[:2]), valid=valid)
    return assign_regions(proposals, truth, MaxIoUAssigner(0.5, 0.5, 0.5))


def test_objects_come_first_and_learn_themselves(truth_of):
    truth = truth_of([[[100.0, 0, 119, 19], [10, 10, 29, 29], [10, 10, 29, 29]]])
    regions, found = assign(truth)
    assert torch.equal(regions[0, :3], truth.boxes[0])
    assert regions[0, 3:].tolist() == [NEAR, FAR]
    assert found.positive.tolist() == [[True, True, True, True, False]]
    assert found.negative.tolist() == [[False, False, False, False, True]]
    assert found.owner[0, :3].tolist() == [0, 1, 2]  # though the last two are equal
    assert found.owner[0, 3] == 2


def test_padding_crowds_and_invalid_proposals_learn_nothing(truth_of):
    truth = truth_of([[[10.0, 10, 29, 29], [200, 200, 220, 220]], []], crowd=[(0, 1)])
    _, found = assign(truth, valid=(True, False))
    assert found.positive.tolist() == [[True, False, True, False], [False] * 4]
    assert found.negative.tolist() == [[False] * 4, [False, False, True, False]]
