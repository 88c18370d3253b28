"""Masks stretched to boxes, and parts of masks made small, against OpenCV."""

import cv2
import numpy as np
import pytest
import torch

from mmdet.ops.masks.stretching import crop_masks, paste_masks

BOXES = [(3.7, 2.2, 40.9, 30.1), (10.0, 5.0, 10.4, 5.9), (0.0, 0.0, 59.0, 44.0), (30.2, 11.0, 31.0, 44.0)]
HEIGHT, WIDTH = 45, 60


def corners(box):
    x1, y1, x2, y2 = map(int, box)
    return x1, y1, max(x2 - x1 + 1, 1), max(y2 - y1 + 1, 1)


@pytest.mark.parametrize("box", BOXES)
def test_a_stretched_mask_is_that_of_opencv_inside_of_its_box_and_0_elsewhere(box):
    soft = np.random.default_rng(0).random((28, 28), dtype=np.float32)
    x, y, width, height = corners(box)
    expected = np.zeros((HEIGHT, WIDTH), np.float32)
    expected[y : y + height, x : x + width] = cv2.resize(soft, (width, height))
    found = paste_masks(torch.from_numpy(soft)[None], torch.tensor([box]), (HEIGHT, WIDTH))[0]
    assert np.abs(found.numpy() - expected).max() < 1e-5


def test_what_lies_outside_of_the_image_is_left_out():
    found = paste_masks(torch.ones(1, 28, 28), torch.tensor([[-5.0, -5.0, 2.0, 100.0]]), (8, 8))[0]
    assert torch.equal(found, (torch.arange(8) < 3).float().expand(8, 8))


@pytest.mark.parametrize("box", BOXES)
def test_a_part_of_a_mask_is_made_small_as_by_opencv(box):
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    mask = ((x - 30) ** 2 / 500 + (y - 20) ** 2 / 200 < 1).astype(np.uint8)
    left, top, width, height = corners(box)
    expected = cv2.resize(mask[top : top + height, left : left + width], (28, 28))
    masks = torch.from_numpy(np.stack([np.zeros_like(mask), mask])).bool()
    found = crop_masks(masks[None], torch.tensor([[1]]), torch.tensor([[box]]), 28)[0, 0]
    # versions of OpenCV differ in cells that are covered by half
    assert (found.numpy() != expected.astype(bool)).sum() <= 2


def test_a_part_ends_where_the_mask_ends():
    masks = torch.ones(1, 1, 20, 20, dtype=torch.bool)
    assert crop_masks(masks, torch.tensor([[0]]), torch.tensor([[[10.0, 10.0, 20.0, 25.0]]]), 28).all()
