"""What lies above what."""

from dataclasses import replace

import numpy as np
import pytest

from mmdet.visualization.draw import DrawnObject, DrawStyle, draw_objects
from mmdet.visualization.layers import FILL_OPACITY, hidden_shares, in_order

SIZE = (200, 300)
RED, BLUE, GREEN = (255, 0, 0), (0, 0, 255), (0, 255, 0)
PLAIN = DrawStyle(labels=False)


def item(top, left, bottom, right, color=RED, score=1.0):
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return DrawnObject(mask=mask, color=color, score=score)


def colors(objects):
    return [layer.item.color for layer in in_order(objects)]


def tint(color):
    return pytest.approx((1 - FILL_OPACITY) * 100 + FILL_OPACITY * np.array(color), abs=1)


def drawn(*objects):
    return draw_objects(np.full((*SIZE, 3), 100, np.uint8), objects, PLAIN)


def test_the_better_object_lies_above_whatever_its_size():
    small, large = item(50, 50, 90, 90, RED, 0.4), item(20, 20, 180, 280, BLUE, 0.9)
    assert colors([small, large]) == colors([large, small]) == [RED, BLUE]
    assert drawn(small, large)[70, 70] == tint(BLUE)


def test_a_large_mask_is_not_painted_over_a_better_one():
    small, large = item(50, 50, 90, 90, RED, 0.9), item(20, 20, 180, 280, BLUE, 0.4)
    picture = drawn(small, large)
    assert picture[70, 70] == tint(RED)
    assert picture[150, 150] == tint(BLUE)


def test_of_alike_scores_the_smaller_object_lies_above():
    small, large = item(50, 50, 90, 90, RED, 0.86), item(20, 20, 180, 280, BLUE, 0.94)
    assert colors([small, large]) == colors([large, small]) == [BLUE, RED]


def test_of_equal_objects_the_first_lies_above():
    assert colors([item(0, 0, 9, 9, RED), item(0, 0, 9, 9, BLUE)]) == [BLUE, RED]


def test_a_pixel_is_tinted_by_the_topmost_object_alone():
    picture = drawn(*(item(20, 20, 180, 280, BLUE, 0.1 * score) for score in range(8)), item(40, 40, 160, 260, GREEN))
    assert picture[100, 150] == tint(GREEN)


def test_fills_leave_most_of_the_colour_of_the_object():
    assert 0.2 <= FILL_OPACITY <= 0.25


def test_shares_below_better_objects():
    layers = in_order([item(0, 0, 100, 100, score=0.9), item(0, 50, 100, 150, score=0.5), item(0, 0, 0, 0, score=0.1)])
    assert hidden_shares(layers, SIZE) == [0, 0.5, 0]


def outline_at(picture, color, row, columns):
    return np.array([np.abs(picture[row - 1 : row + 2, x].astype(int) - color).sum(axis=1).min() < 60 for x in columns])


def test_the_outline_of_a_second_track_on_one_object_is_dashed_and_both_are_seen():
    first, second = (np.kron(item(50, 50, 150, 250).mask, np.ones((3, 3), bool)) for _ in range(2))
    objects = [DrawnObject(mask=first, color=RED, score=0.9), DrawnObject(mask=second, color=BLUE, score=0.5)]
    picture = draw_objects(np.full((*first.shape, 3), 100, np.uint8), objects, PLAIN)
    columns = range(180, 720)
    dashes, under = outline_at(picture, BLUE, 150, columns), outline_at(picture, RED, 150, columns)
    assert 0.4 < dashes.mean() < 0.7
    assert 0.2 < under.mean() < 0.6
    assert (np.diff(dashes.astype(int)) != 0).sum() > 20


def test_the_outline_of_an_object_that_is_mostly_seen_is_whole():
    picture = drawn(item(50, 50, 150, 250, RED, 0.9), item(50, 200, 150, 299, BLUE, 0.5))
    assert outline_at(picture, BLUE, 50, range(262, 290)).all()


def test_objects_outside_of_the_frame_are_drawn_without_fault():
    assert np.array_equal(drawn(item(0, 0, 0, 0)), np.full((*SIZE, 3), 100, np.uint8))


def test_a_hatched_region_has_stripes_that_let_the_picture_through():
    region = replace(item(20, 20, 180, 280), hatched=True)
    inside = drawn(region)[40:160, 40:260]
    shares = [(inside == value).all(axis=2).mean() for value in np.unique(inside.reshape(-1, 3), axis=0)]
    assert shares == pytest.approx([0.5, 0.5], abs=0.05)
    assert (inside < 255).all()  # no stripe is opaque
    plain = drawn(item(20, 20, 180, 280))
    assert (inside == plain[40:160, 40:260]).all(axis=2).mean() == pytest.approx(0.5, abs=0.05)
