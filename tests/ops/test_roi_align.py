"""Features of regions against a slow reference, and the level that each region is read from."""

import math

import pytest
import torch

from mmdet.ops.roi_align import legacy_roi_align, pyramid_roi_align, roi_levels


def value_at(level, y, x):
    """Read a map (C, h, w) between its cells as the releases did."""
    height, width = level.shape[1:]
    if y < -1 or y > height or x < -1 or x > width:
        return torch.zeros(len(level))
    places = []
    for place, side in ((max(y, 0.0), height), (max(x, 0.0), width)):
        first = min(math.floor(place), side - 1)
        second, part = (first + 1, place - first) if first < side - 1 else (first, 0.0)
        places.append(((first, 1 - part), (second, part)))
    return sum(a * b * level[:, i, j] for i, a in places[0] for j, b in places[1])


def slow(level, box, scale, size):
    x1, y1 = box[0] * scale, box[1] * scale
    width, height = max((box[2] + 1) * scale - x1, 0) / size, max((box[3] + 1) * scale - y1, 0) / size
    found = torch.zeros(len(level), size, size)
    for row in range(size):
        for column in range(size):
            samples = [
                value_at(level, y1 + (row + dy) * height, x1 + (column + dx) * width)
                for dy in (0.25, 0.75)
                for dx in (0.25, 0.75)
            ]
            found[:, row, column] = sum(samples) / 4
    return found


@pytest.mark.parametrize(
    "box", [(3.0, 4.0, 50.0, 30.0), (10.0, 5.0, 10.3, 40.0), (20.0, 20.0, 12.0, 30.0), (-30.0, -9.0, 90.0, 70.0)]
)
def test_a_region_is_read_as_the_releases_did(box):
    level = torch.rand(3, 6, 8, generator=torch.Generator().manual_seed(0))
    found = legacy_roi_align(level[None], torch.tensor([box]), torch.tensor([0]), 1 / 8, 3)[0]
    assert torch.allclose(found, slow(level, box, 1 / 8, 3), atol=1e-5)


def test_the_level_grows_with_the_side_of_a_region():
    sides = torch.tensor([10.0, 111.0, 113.0, 223.0, 225.0, 449.0, 5000.0])
    boxes = torch.stack([torch.zeros(7), torch.zeros(7), sides - 1, sides - 1], dim=1)
    assert roi_levels(boxes, 4).tolist() == [0, 0, 1, 1, 2, 3, 3]


def test_an_inverted_region_is_read_from_the_finest_level():
    assert roi_levels(torch.tensor([[30.0, 10.0, 5.0, 40.0]]), 4).tolist() == [0]


def test_every_region_gets_the_features_of_its_own_level_and_image_and_only_that_gets_a_gradient():
    pyramid = [torch.full((2, 1, 64 >> level, 64 >> level), 1.0 + level, requires_grad=True) for level in range(4)]
    with torch.no_grad():
        for level in pyramid:
            level[1] += 10
    small, large = [8.0, 8.0, 40.0, 40.0], [0.0, 0.0, 239.0, 239.0]
    found = pyramid_roi_align(pyramid, (4, 8, 16, 32), torch.tensor([[small, large], [large, small]]), 2)
    assert found[..., 0, 0, 0].tolist() == [[1.0, 3.0], [13.0, 11.0]]
    found[0].sum().backward()
    assert [bool(level.grad.any()) for level in pyramid] == [True, False, True, False]
    assert not any(level.grad[1].any() for level in pyramid)
