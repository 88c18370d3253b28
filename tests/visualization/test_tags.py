"""Where tags lie."""

from itertools import combinations

import numpy as np
import pytest

from mmdet.visualization.draw import DrawnObject, draw_objects
from mmdet.visualization.layers import in_order
from mmdet.visualization.outlines import Pen
from mmdet.visualization.tags import place_tags, text_size

NAMES = ("person", "giant_panda", "ring", "a_very_long_class_name_of_a_thing", "大熊猫")
GREY = (90, 90, 90)


def overlap(first, second):
    """Whether two rectangles share a pixel."""
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def disc(size, x, y, radius):
    rows, columns = np.ogrid[: size[0], : size[1]]
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


def item(size, x, y, radius, text="0 disc 0.50", **about):
    return DrawnObject(mask=disc(size, x, y, radius), label_text=text, color=GREY, **about)


def tags_of(objects, size):
    return place_tags(in_order(objects)[::-1], size, Pen.of(min(size) / 480))


def scattered(size, count, spread, seed=0):
    """Discs in the middle third, or all over the picture."""
    random = np.random.default_rng(seed)
    centers = (0.5 + spread * (random.random((count, 2)) - 0.5)) * size[::-1]
    return [
        item(size, x, y, min(size) * random.uniform(0.03, 0.1), f"{i} {NAMES[i % 5]} 0.{10 + i}", score=0.1 + i / 100)
        for i, (x, y) in enumerate(centers)
    ]


@pytest.mark.parametrize("size", [(384, 576), (720, 1280), (1440, 480)])
@pytest.mark.parametrize("count", [2, 10, 30])
@pytest.mark.parametrize("spread", [0.0, 0.3, 1.0])
def test_tags_never_cover_each_other_and_lie_inside(size, count, spread):
    tags = tags_of(scattered(size, count, spread), size)
    assert tags
    assert not any(overlap(a.place, b.place) for a, b in combinations(tags, 2))
    for x1, y1, x2, y2 in (tag.place for tag in tags):
        assert 0 <= x1 < x2 <= size[1]
        assert 0 <= y1 < y2 <= size[0]


def test_thirty_objects_all_over_a_picture_have_a_tag_each():
    assert len(tags_of(scattered((720, 1280), 30, 1.0), (720, 1280))) == 30


@pytest.mark.parametrize(("top", "left"), [(0, 0), (0, 300), (200, 0), (200, 300)])
def test_tags_of_objects_at_borders_lie_inside_beside_the_object(top, left):
    (tag,) = tags_of([item((240, 320), left, top, 30)], (240, 320))
    x1, y1, x2, y2 = tag.place
    assert 0 <= x1 < x2 <= 320
    assert 0 <= y1 < y2 <= 240
    assert not disc((240, 320), left, top, 30)[y1:y2, x1:x2].any()


def test_a_tag_lies_above_its_object_if_there_is_room():
    (tag,) = tags_of([item((480, 640), 300, 300, 50)], (480, 640))
    assert tag.place[0] == 250
    assert 240 < tag.place[3] < 250


def test_a_tag_makes_room_for_the_mask_of_another_object():
    size = (480, 640)
    above, below = item(size, 300, 150, 70), item(size, 300, 300, 50)
    tag = tags_of([above, below], size)[-1 if above.mask.sum() < below.mask.sum() else 0]
    x1, y1, x2, y2 = tag.place
    assert above.mask[y1:y2, x1:x2].mean() < 0.2


def test_a_tag_rather_lies_over_a_large_object_than_over_a_small_one():
    size = (480, 640)
    large = DrawnObject(mask=disc(size, 320, 240, 230) & ~disc(size, 320, 240, 60), color=GREY)
    small = DrawnObject(mask=disc(size, 300, 185, 12), color=GREY)
    (tag,) = tags_of([large, small, item(size, 320, 240, 45, score=0.95)], size)
    x1, y1, x2, y2 = tag.place
    assert not small.mask[y1:y2, x1:x2].any()
    assert large.mask[y1:y2, x1:x2].any()


def test_the_best_object_chooses_its_place_first():
    size = (480, 640)
    better, poorer = (item(size, 300, 300, 50, f"{i} disc", score=score) for i, score in enumerate((0.9, 0.5)))
    alone = tags_of([better], size)[0]
    both = tags_of([poorer, better], size)
    assert both[0].place == alone.place
    assert len(both) == 2


def test_a_tag_without_room_shrinks_then_shows_its_id_and_then_is_left_out():
    size = (60, 400)
    tags = tags_of([item(size, 200, 30, 29, f"{i} giant_panda 0.50") for i in range(30)], size)
    areas = [tag.picture.shape[0] * tag.picture.shape[1] for tag in tags]
    assert 2 < len(tags) < 30
    assert areas[0] > 3 * areas[-1]
    assert not any(overlap(a.place, b.place) for a, b in combinations(tags, 2))


def test_a_picture_too_small_for_a_tag_has_none():
    assert tags_of([item((9, 9), 4, 4, 3)], (9, 9)) == []
    assert draw_objects(np.zeros((9, 9, 3), np.uint8), [item((9, 9), 4, 4, 3)]).shape == (9, 9, 3)


@pytest.mark.parametrize(("size", "least"), [((384, 576), 13), ((720, 1280), 18), ((2160, 3840), 54)])
def test_text_grows_with_the_picture_and_stays_readable(size, least):
    assert text_size(size) >= least
    (tag,) = tags_of([item(size, size[1] / 2, size[0] / 2, 40)], size)
    assert tag.picture.shape[0] >= 1.2 * least


def test_a_tag_has_the_colour_of_its_object_and_a_halo():
    (tag,) = tags_of([item((480, 640), 300, 300, 50)], (480, 640))
    assert (tag.picture[0] == 255).all()
    assert (tag.picture[1, 1:-1] == 20).all()
    assert (tag.picture[3, 3] == GREY).all()


def test_the_tag_of_an_object_whose_mask_is_empty_lies_at_its_box():
    box = DrawnObject(mask=np.zeros((480, 640), bool), box=(100, 100, 200, 200), label_text="1 disc", color=GREY)
    (tag,) = tags_of([box], (480, 640))
    assert tag.place[0] == 100
    assert 90 < tag.place[3] <= 100
