"""The outlines of masks: exact along the edges of pixels, or simpler within a tolerance."""

import cv2
import numpy as np
import pytest

from mmdet.ops.masks.outlines import joined, trace
from mmdet.ops.masks.segmentations import decode_segmentation


def pixels(*rows):
    return np.array([[character == "#" for character in row] for row in rows])


def drawn(outlines, size):
    return decode_segmentation([outline.ravel().tolist() for outline in outlines], size)


def corners(outline):
    return {tuple(point) for point in outline.tolist()}


def test_a_rectangle_has_the_corners_of_its_pixels():
    (outline,), holes = trace(pixels(".....", ".###.", ".###.", "....."))
    assert corners(outline) == {(1, 1), (4, 1), (4, 3), (1, 3)}
    assert len(outline) == 4
    assert holes == 0


def test_an_inner_corner_is_one_corner():
    (outline,), _ = trace(pixels("#..", "###"))
    assert corners(outline) == {(0, 0), (1, 0), (1, 1), (3, 1), (3, 2), (0, 2)}
    assert len(outline) == 6


def test_parts_come_by_their_size():
    outlines, _ = trace(pixels("#..###", "...###", "##.###", "##...."))
    assert [corners(outline) for outline in outlines] == [
        {(3, 0), (6, 0), (6, 3), (3, 3)},
        {(0, 2), (2, 2), (2, 4), (0, 4)},
        {(0, 0), (1, 0), (1, 1), (0, 1)},
    ]


def test_an_outline_goes_to_a_hole_and_back():
    (outline,), lost = trace(pixels("#####", "##..#", "#####"))
    assert corners(outline) == {(0, 0), (5, 0), (5, 3), (0, 3), (0, 1), (2, 1), (4, 1), (4, 2), (2, 2)}
    assert lost == 0


def test_joined_parts_are_one_outline_of_the_same_mask():
    mask = pixels("##....##", "##....##", "........", "...##...", "...##...")
    outlines, _ = trace(mask)
    assert len(outlines) == 3
    assert (drawn([joined(outlines)], mask.shape) == mask).all()


def test_an_empty_mask_has_no_outline():
    assert trace(np.zeros((4, 5), bool)) == ([], 0)


@pytest.mark.parametrize("seed", range(20))
def test_drawing_the_outlines_gives_the_mask_again(seed):
    rng = np.random.default_rng(seed)
    smooth = cv2.GaussianBlur(rng.random((30, 40)).astype(np.float32), (0, 0), 0.3 + seed % 5)
    mask = smooth > np.quantile(smooth, rng.uniform(0.3, 0.9))
    outlines, lost = trace(mask)
    assert lost == 0
    assert (drawn(outlines, mask.shape) == mask).all()
    assert (drawn([joined(outlines)], mask.shape) == mask).all()


def test_a_tolerance_gives_fewer_corners_and_nearly_the_same_mask():
    y, x = np.mgrid[:80, :80]
    disc = (x - 40) ** 2 + (y - 38) ** 2 < 30**2
    exact, simple = trace(disc)[0][0], trace(disc, 1.0)[0][0]
    again = drawn([simple], disc.shape)
    assert len(simple) < len(exact) / 4
    assert (again & disc).sum() / (again | disc).sum() > 0.95


def test_a_small_part_keeps_three_corners_whatever_the_tolerance():
    (outline,), _ = trace(pixels("...", ".#.", "..."), 5.0)
    assert len(outline) >= 3
