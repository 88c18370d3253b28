"""The anchors of an RPN."""

import torch

from mmdet.ops.anchors import base_anchors, inside_images, shifted_anchors


def test_corners_are_rounded_half_to_even():
    sides = base_anchors((4,))[0]
    assert sides[1].tolist() == [-14, -14, 17, 17]  # of -14 and 17 exactly
    assert base_anchors((1,), scale=2, ratios=(1.0,)).flatten().tolist() == [0, 0, 0, 0]  # of -0.5 and 0.5
    assert base_anchors((4,), scale=1, ratios=(1.0,)).flatten().tolist() == [0, 0, 3, 3]


def test_the_first_shape_is_wide_and_the_last_is_tall():
    sides = base_anchors((8,))[0]
    width, height = (sides[:, 2:] - sides[:, :2] + 1).unbind(dim=1)
    assert (height / width).round(decimals=1).tolist() == [0.5, 1.0, 2.0]


def test_anchors_are_in_order_of_level_row_column_and_shape():
    base = base_anchors((4, 8))
    anchors = shifted_anchors(base, ((2, 3), (1, 1)), (4, 8))
    assert len(anchors) == 2 * 3 * 3 + 3
    assert torch.equal(anchors[:3], base[0])
    assert torch.equal(anchors[3:6], base[0] + torch.tensor([4, 0, 4, 0]))
    assert torch.equal(anchors[9:12], base[0] + torch.tensor([0, 4, 0, 4]))
    assert torch.equal(anchors[18:], base[1])


def test_an_anchor_inside_ends_before_the_image_does():
    anchors = torch.tensor([[0.0, 0, 9, 7], [0, 0, 10, 7], [0, 0, 9, 8], [-1, 0, 9, 7], [0, -1, 9, 7]])
    sizes = torch.tensor([[8, 10], [9, 11]])
    assert inside_images(anchors, sizes).tolist() == [
        [True, False, False, False, False],
        [True, True, True, False, False],
    ]
