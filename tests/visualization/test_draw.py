import time

import numpy as np
import pytest

from mmdet.visualization.draw import (
    DrawnObject,
    DrawStyle,
    contact_sheet,
    draw_objects,
    drawing_factor,
    enlarge,
)

RED = (255, 0, 0)


def grey(height=90, width=120):
    return np.full((height, width, 3), 128, np.uint8)


def square(top, left, side, size=(90, 120)):
    mask = np.zeros(size, bool)
    mask[max(top, 0) : top + side, max(left, 0) : left + side] = True
    return mask


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


def lines_of(style, **about):
    """Where the picture differs from its frame."""
    item = DrawnObject(mask=square(60, 60, 60, (240, 320)), box=(60, 60, 120, 120), color=RED, **about)
    return (draw_objects(grey(240, 320), [item], style) != 128).any(axis=2)


def test_boxes_are_drawn_if_asked_for():
    mask = np.zeros((240, 320), bool)
    mask[80:100, 80:100] = True
    item = DrawnObject(mask=mask, box=(40, 40, 200, 200), color=RED)
    assert np.array_equal(draw_objects(grey(240, 320), [item])[40, 100:150], grey(1, 50)[0])
    assert draw_objects(grey(240, 320), [item], DrawStyle(boxes=True))[40, 100:150, 0].min() > 230


def test_a_style_without_masks_and_labels_draws_nothing():
    assert not lines_of(DrawStyle(masks=False, labels=False), label_text="0 disc 0.50").any()


def test_labels_can_be_left_out():
    with_tag, without = (lines_of(DrawStyle(labels=labels), label_text="0 disc 0.50") for labels in (True, False))
    assert with_tag[:55].any()
    assert not without[:55].any()


def test_wider_lines_cover_more():
    wide, plain = (lines_of(DrawStyle(line_width=width))[:60].sum() for width in (6, 1))
    assert wide > 1.5 * plain


def test_a_trail_leads_through_the_last_points_only():
    trail = tuple((float(x), 200.0) for x in range(10, 300, 10))
    whole, last = lines_of(DrawStyle(trails=100), trail=trail), lines_of(DrawStyle(trails=5), trail=trail)
    assert whole[200, 10:290].all()
    assert last[200, 252:290].all()
    assert not last[190:, :230].any()
    assert not lines_of(DrawStyle(), trail=trail)[190:].any()


def test_the_uncertainty_of_a_box_is_a_band_of_one_sigma_around_each_side():
    item = DrawnObject(
        mask=np.zeros((240, 320), bool), box=(100, 80, 200, 160), color=RED, sigma=(20.0, 10.0, 30.0, 5.0)
    )
    drawn = draw_objects(grey(240, 320), [item], DrawStyle(sigma=True))
    tinted = drawn[..., 0] > drawn[..., 1] + 10.0
    assert np.flatnonzero(tinted[120])[[0, -1]] == pytest.approx([80, 229], abs=2)  # its edge is dashed
    assert not tinted[120, 123:167].any()
    assert np.flatnonzero(tinted[:, 150])[[0, -1]] == pytest.approx([70, 164], abs=2)
    assert np.array_equal(draw_objects(grey(240, 320), [item]), grey(240, 320))


def test_a_band_of_sigma_beyond_the_picture_is_cut():
    item = DrawnObject(mask=np.zeros((90, 120), bool), box=(-90, 0, -40, 9), color=RED, sigma=(20.0,) * 4)
    drawn = draw_objects(grey(), [item], DrawStyle(sigma=True))
    assert np.array_equal(drawn, grey())


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (1, 500), (2000, 16)])
def test_pictures_of_any_size_are_drawn_on_whatever_the_values(size):
    whole, nothing = np.ones(size, bool), np.zeros(size, bool)
    objects = [
        DrawnObject(mask=whole, box=(0, 0, 9, 9), label_text="0 a", color=RED, sigma=(1e9,) * 4),
        DrawnObject(mask=nothing, box=(9e9, 0, -9e9, 1), label_text="1 b", color=RED, trail=((0, 0), (1e12, -1e12))),
    ]
    drawn = draw_objects(grey(*size), objects, DrawStyle(boxes=True, trails=9, sigma=True))
    assert drawn.shape == (*size, 3)
    assert not np.array_equal(drawn, grey(*size))


def test_a_mask_of_noise_is_drawn_in_a_moment():
    noise = np.random.default_rng(0).random((360, 640)) < 0.3
    item, hidden = (DrawnObject(mask=noise, color=RED, score=score) for score in (0.9, 0.1))
    start = time.process_time()
    drawn = draw_objects(grey(360, 640), [item, hidden])
    assert time.process_time() - start < 1
    assert (drawn[noise] != 128).any(axis=1).mean() > 0.99


def test_a_mask_of_another_size_is_an_error():
    with pytest.raises(ValueError, match="sizes must agree"):
        draw_objects(grey(), [DrawnObject(mask=np.zeros((10, 10), bool), color=RED)])


def test_enlarging_scales_masks_boxes_uncertainty_and_trails():
    item = DrawnObject(
        mask=square(20, 30, 20), box=(30, 20, 50, 40), color=RED, sigma=(1, 2, 3, 4), trail=((9, 8),), score=0.3
    )
    frame, (larger,) = enlarge(grey(), [item], 3)
    assert (larger.sigma, larger.trail, larger.score) == ((3, 6, 9, 12), ((27, 24),), 0.3)
    assert frame.shape == (270, 360, 3)
    assert larger.box == (90, 60, 150, 120)
    assert larger.mask.sum() == pytest.approx(9 * 400, rel=0.02)


def test_a_single_pixel_of_a_mask_is_seen_enlarged():
    _, (larger,) = enlarge(grey(), [DrawnObject(mask=square(20, 30, 1), color=RED)], 3)
    assert larger.mask.sum() >= 5


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
    [
        ((128, 192), 3),
        ((288, 352), 2),
        ((144, 176), 3),
        ((360, 640), 1),
        ((720, 1280), 1),
        ((16, 16), 23),
        ((16, 4000), 1),
        ((4000, 16), 1),
        ((16, 1000), 4),
    ],
)
def test_small_frames_are_drawn_enlarged_unless_they_are_long(size, factor):
    assert drawing_factor(size) == factor
