"""A small grid of points and truths of a few boxes, and what the release assigned in its training forward."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mmdet.structures import PaddedTruth, PointGrid

STRIDES = (8, 16, 32, 64)


def make_points(height, width):
    sizes = tuple((-(-height // stride), -(-width // stride)) for stride in STRIDES)
    return PointGrid.make((height, width), sizes, STRIDES, torch.device("cpu"))


def make_truth(boxes, crowd=()):
    """Truth of images given as lists of boxes; `crowd` names (image, row) that are crowd regions."""
    rows = max(1, *(len(image) for image in boxes))
    padded = torch.zeros(len(boxes), rows, 4)
    valid = torch.zeros(len(boxes), rows, dtype=torch.bool)
    is_crowd = torch.zeros_like(valid)
    for index, image in enumerate(boxes):
        padded[index, : len(image)] = torch.as_tensor(image).view(-1, 4)
        valid[index, : len(image)] = True
    for image, row in crowd:
        valid[image, row], is_crowd[image, row] = False, True
    return PaddedTruth(
        boxes=padded,
        labels=torch.zeros_like(valid, dtype=torch.int64),
        valid=valid,
        is_crowd=is_crowd,
        half_masks=torch.zeros(len(boxes), rows, 1, 1, dtype=torch.bool),
        reference_boxes=padded,
        reference_valid=valid,
        match=torch.full_like(valid, -1, dtype=torch.int64),
    )


@pytest.fixture
def points():
    return make_points(96, 128)


@pytest.fixture
def truth_of():
    return make_truth


@pytest.fixture(params=["192x256", "160x224"])
def recorded(request, recorded_numbers):
    """(points, sigma (2, P, 4), truth, arrays) of a training forward of the release."""
    arrays = np.load(recorded_numbers / "seed0" / f"train_{request.param}.npz")
    maps = [torch.from_numpy(arrays[f"reg_{level}"]).flatten(2) for level in range(4)]
    sigma = 0.1 + 0.9 * F.softplus(torch.cat(maps, dim=2).transpose(1, 2)[..., 4:])
    truth = make_truth([arrays["gt_bboxes_0"], arrays["gt_bboxes_1"]])
    return make_points(*map(int, request.param.split("x"))), sigma, truth, arrays
