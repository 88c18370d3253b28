"""Crop-split: which of four maps a pixel shows, what is outside, and where gradients go."""

import pytest
import torch

from mmdet.ops.masks.crop_split import OUTSIDE, crop_split, quarters_of


def slow_quarters(box, height, width):
    """The rule pixel by pixel, in double precision."""
    x1, y1, x2, y2 = box
    found = torch.full((height, width), OUTSIDE)
    for y in range(height):
        for x in range(width):
            if x1 <= x < x2 and y1 <= y < y2:
                column, row = int((x - x1) / ((x2 - x1 + 0.1) / 2)), int((y - y1) / ((y2 - y1 + 0.1) / 2))
                found[y, x] = 2 * row + column
    return found


BOXES = [
    [1.0, 2.0, 9.0, 7.0],
    [0.3, 0.6, 5.2, 6.9],
    [-4.0, -3.0, 3.5, 4.5],
    [6.2, 1.1, 40.0, 30.0],
    [2.0, 2.0, 3.0, 3.0],
]


def test_every_pixel_lies_in_the_quarter_that_the_rule_names():
    found = quarters_of(torch.tensor(BOXES), 10, 12)
    for quarters, box in zip(found, BOXES, strict=True):
        assert quarters.tolist() == slow_quarters(box, 10, 12).tolist()


def test_the_quarters_are_top_left_top_right_bottom_left_bottom_right():
    quarters = quarters_of(torch.tensor([[0.0, 0.0, 4.0, 4.0]]), 5, 5)[0]
    assert quarters.tolist() == [
        [0, 0, 0, 1, OUTSIDE],
        [0, 0, 0, 1, OUTSIDE],
        [0, 0, 0, 1, OUTSIDE],
        [2, 2, 2, 3, OUTSIDE],
        [OUTSIDE] * 5,
    ]


@pytest.mark.parametrize(
    "box", [[5.0, 5.0, 5.0, 9.0], [8.0, 2.0, 3.0, 7.0], [8.0, 7.0, 3.0, 2.0], [50.0, 50.0, 60.0, 60.0]]
)
def test_boxes_without_a_pixel_show_nothing(box):
    """B3: boxes that are empty, inverted one way or both ways, or outside."""
    masks = torch.ones(1, 4, 10, 12)
    assert not crop_split(masks, torch.tensor([box])).any()


def test_the_value_is_that_of_the_quarters_map():
    masks = torch.arange(1.0, 5.0)[None, :, None, None].expand(len(BOXES), 4, 10, 12)
    boxes = torch.tensor(BOXES)
    assert torch.equal(crop_split(masks, boxes), quarters_of(boxes, 10, 12) + 1.0)


def test_the_gradient_goes_to_the_shown_map_alone_and_none_to_the_box():
    masks = torch.rand(len(BOXES), 4, 10, 12, dtype=torch.float64, requires_grad=True)
    boxes = torch.tensor(BOXES, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda maps: crop_split(maps, boxes), masks)
    crop_split(masks, boxes).sum().backward()
    assert boxes.grad is None
    shown = quarters_of(boxes.detach(), 10, 12)[:, None] == torch.arange(4)[:, None, None]
    assert torch.equal(masks.grad, shown.double())


def test_no_boxes_give_no_masks():
    assert crop_split(torch.zeros(0, 4, 6, 8), torch.zeros(0, 4)).shape == (0, 6, 8)
