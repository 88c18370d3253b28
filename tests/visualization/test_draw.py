import numpy as np
import pytest

from mmdet.visualization.draw import (
    DrawnObject,
    DrawStyle,
    contact_sheet,
    draw_objects,
    drawing_factor,
    enlarge,
    track_color,
)
from mmdet.visualization.tags import _overlap, _place

RED = (255, 0, 0)


def grey(height=90, width=120):
    return np.full((height, width, 3), 128, np.uint8)


def square(top, left, side, size=(90, 120)):
    mask = np.zeros(size, bool)
    mask[max(top, 0) : top + side, max(left, 0) : left + side] = True
    return mask


def test_colours_are_a_function_of_the_id_alone():
    forwards = [track_color(i) for i in range(50)]
    assert [track_color(i) for i in reversed(range(50))][::-1] == forwards


def test_colours_of_the_first_twenty_tracks_are_far_apart():
    colours = np.array([track_color(i) for i in range(20)], float)
    distances = np.abs(colours[:, None] - colours[None]).sum(axis=2) + 1e6 * np.eye(20)
    assert distances.min() > 60


def test_a_frame_without_objects_is_returned_as_a_copy():
    frame = grey()
    drawn = draw_objects(frame, [])
    assert np.array_equal(drawn, frame)
    assert drawn is not frame


def test_the_input_frame_stays_as_it_is():
    frame = grey()
    draw_objects(frame, [DrawnObject(mask=square(20, 30, 20), label_text="0 disc 0.50", color=RED)])
    assert np.array_equal(frame, grey())


def test_the_mask_is_tinted_and_the_rest_is_not():
    drawn = draw_objects(grey(), [DrawnObject(mask=square(20, 30, 20), color=RED)])
    assert np.array_equal(drawn[30, 40], [156, 100, 100])  # 22 per cent of red over grey
    assert np.array_equal(drawn[70:], grey()[70:])


def test_an_outline_has_a_dark_and_a_white_halo():
    mask = square(100, 100, 200, (480, 640))
    drawn = draw_objects(np.full((480, 640, 3), RED, np.uint8), [DrawnObject(mask=mask, color=RED)])
    white, dark, own = drawn[97, 200], drawn[98, 200], drawn[100, 200]
    assert white.min() > 100
    assert dark.max() < 100
    assert own[0] > 230
    assert own[1:].max() < 30


@pytest.mark.parametrize("box", [(-50.0, -40.0, 500.0, 400.0), (300.0, 200.0, 400.0, 300.0), (-1e12, 0.0, 1e12, 9.0)])
def test_a_box_beyond_the_frame_is_drawn_as_far_as_it_is_inside(box):
    item = DrawnObject(mask=np.zeros((90, 120), bool), box=box, label_text="0 disc 0.50", color=RED)
    drawn = draw_objects(grey(), [item], DrawStyle(boxes=True))
    assert drawn.shape == (90, 120, 3)


def test_an_object_without_visible_part_gets_no_tag():
    item = DrawnObject(mask=np.zeros((90, 120), bool), box=None, label_text="0 disc 0.50", color=RED)
    assert np.array_equal(draw_objects(grey(), [item]), grey())


@pytest.mark.parametrize(("top", "left"), [(-5, -5), (-5, 110), (80, -5), (80, 110)])
def test_tags_of_objects_at_borders_are_inside_the_picture(top, left):
    x1, y1, x2, y2 = _place((left, top, left + 15, top + 15), (12, 60), (90, 120), [])
    assert 0 <= x1 < x2 <= 120
    assert 0 <= y1 < y2 <= 90
    assert (y2 - y1, x2 - x1) == (12, 60)


def test_tags_of_objects_at_one_place_do_not_cover_each_other():
    taken = []
    for _ in range(4):
        taken.append(_place((40, 40, 70, 70), (12, 30), (90, 120), taken))
    assert not any(_overlap(a, b) for i, a in enumerate(taken) for b in taken[:i])


def test_a_tag_wider_than_the_picture_is_cut():
    item = DrawnObject(mask=square(5, 5, 20, (40, 40)), label_text="0 a_very_long_class_name 0.50", color=RED)
    assert draw_objects(grey(40, 40), [item]).shape == (40, 40, 3)


def test_a_mask_of_another_size_is_an_error():
    with pytest.raises(ValueError, match="sizes must agree"):
        draw_objects(grey(), [DrawnObject(mask=np.zeros((10, 10), bool), color=RED)])


def test_enlarging_scales_masks_and_boxes():
    item = DrawnObject(mask=square(20, 30, 20), box=(30, 20, 50, 40), color=RED)
    frame, (larger,) = enlarge(grey(), [item], 3)
    assert frame.shape == (270, 360, 3)
    assert larger.box == (90, 60, 150, 120)
    assert larger.mask.sum() == pytest.approx(9 * 400, rel=0.02)


def test_a_contact_sheet_fills_rows_and_leaves_the_rest_white():
    sheet = contact_sheet([grey(10, 20)] * 3, columns=2, gap_px=4)
    assert sheet.shape == (24, 44, 3)
    assert (sheet[:10, :20] == 128).all()
    assert (sheet[14:, 24:] == 255).all()


def test_a_contact_sheet_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="at least 1"):
        contact_sheet([], 2)


@pytest.mark.parametrize(
    ("size", "factor"),
    [((128, 192), 3), ((720, 1280), 1), ((16, 16), 24), ((16, 4000), 1), ((4000, 16), 1), ((16, 1000), 4)],
)
def test_small_frames_are_drawn_enlarged_unless_they_are_long(size, factor):
    assert drawing_factor(size) == factor
