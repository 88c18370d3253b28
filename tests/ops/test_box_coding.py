"""Boxes as differences to other boxes."""

import math

import pytest
import torch

from mmdet.ops.box_coding import decode_boxes, encode_boxes

STDS = (0.1, 0.1, 0.2, 0.2)
BOXES = torch.tensor([[10.0, 20, 29, 59], [3, 5, 3, 6]])


def test_sides_count_the_last_pixel():
    deltas = encode_boxes(torch.tensor([[0.0, 0, 9, 9]]), torch.tensor([[5.0, 0, 24, 9]]))
    assert deltas[0].tolist() == pytest.approx([1.0, 0, math.log(2), 0])


@pytest.mark.parametrize("stds", [(1.0, 1.0, 1.0, 1.0), STDS])
def test_decoding_undoes_encoding(stds):
    targets = torch.tensor([[12.0, 18, 40, 80], [0, 0, 7, 4]])
    decoded = decode_boxes(BOXES[None], encode_boxes(BOXES, targets, stds)[None], stds)
    torch.testing.assert_close(decoded[0], targets, rtol=0, atol=1e-4)


def test_sides_shrink_and_grow_by_a_limited_factor():
    deltas = torch.tensor([[0.0, 0, -100, 100]])
    x1, y1, x2, y2 = decode_boxes(BOXES[None, :1], deltas[None]).flatten().tolist()
    assert x2 - x1 + 1 == pytest.approx(20 * 16 / 1000)
    assert y2 - y1 + 1 == pytest.approx(40 * 1000 / 16, rel=1e-5)


def test_boxes_end_with_their_own_image():
    deltas = torch.tensor([0.0, 0, 4, 4]).expand(2, 3, 1, 4)  # two images, three boxes, one class
    decoded = decode_boxes(BOXES[:1].expand(2, 3, 1, 4), deltas, image_sizes=torch.tensor([[30, 50], [40, 60]]))
    assert decoded.shape == (2, 3, 1, 4)
    assert decoded[0].unique(dim=0).tolist() == [[[0, 0, 49, 29]]]
    assert decoded[1].unique(dim=0).tolist() == [[[0, 0, 59, 39]]]
