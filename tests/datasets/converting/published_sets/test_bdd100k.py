import numpy as np
import pytest
from published_sets import SIZE, add_frames, add_png, assert_masks, colours, squares

from mmdet.datasets.converting.conversion import ConvertRequest
from mmdet.datasets.converting.published_sets.bdd100k import CLASSES, read_bdd100k
from mmdet.errors import UserError

VIDEO = "000d4f89-3bcbe37a"
PEDESTRIAN, CAR = 1, 3
TRUNCATED, OCCLUDED, CROWD, IGNORED = 8, 4, 2, 1


def pixels(*objects):
    """A bitmask of squares: (class, attributes, id, place)."""
    image = np.zeros((*SIZE, 4), np.uint8)
    for class_number, attributes, number, (x, y) in objects:
        image[y : y + 5, x : x + 5] = (class_number, attributes, number >> 8, number & 255)
    return image


def square(x, y):
    return squares(_1=(x, y)) > 0


@pytest.fixture
def bitmasks(tmp_path):
    """Write bitmasks in BDD100K's layout, and read them."""

    def read(*frames, **options):
        names = [f"{VIDEO}-{number:07d}" for number in range(1, len(frames) + 1)]
        add_frames(tmp_path / "images" / "seg_track_20" / "train" / VIDEO, [f"{name}.jpg" for name in names])
        source = tmp_path / "labels" / "seg_track_20" / "bitmasks" / "train"
        for name, frame in zip(names, frames, strict=True):
            if frame is not None:
                add_png(source / VIDEO / f"{name}.png", frame)
        return read_bdd100k(ConvertRequest(source=source, **options))

    return read


def test_blue_and_alpha_are_the_id_and_red_is_the_class(bitmasks, tmp_path):
    conversion = bitmasks(
        pixels((CAR, 0, 300, (2, 3)), (PEDESTRIAN, 0, 44, (12, 8))), pixels((CAR, TRUNCATED | OCCLUDED, 300, (4, 3)))
    )
    pedestrian, car = conversion.data.tracks
    assert conversion.frames == tmp_path / "images" / "seg_track_20" / "train"
    assert [category.name for category in conversion.data.categories] == list(CLASSES)
    assert (pedestrian.category_id, car.category_id) == (PEDESTRIAN, CAR)
    assert_masks(car, [square(2, 3), square(4, 3)])
    assert_masks(pedestrian, [square(12, 8), None])


@pytest.mark.parametrize("attribute", [CROWD, IGNORED])
def test_crowds_and_what_is_to_be_ignored_are_crowds_in_those_frames(bitmasks, attribute):
    conversion = bitmasks(pixels((CAR, 0, 7, (2, 3))), pixels((CAR, attribute, 7, (4, 3))))
    car, crowd = conversion.data.tracks
    assert (car.is_crowd, crowd.is_crowd) == (False, True)
    assert_masks(car, [square(2, 3), None])
    assert_masks(crowd, [None, square(4, 3)])
    assert conversion.notes == ("objects that are crowds in some frames, which are tracks of their own: 1",)


def test_parts_of_an_object_with_other_attributes_are_joined(bitmasks):
    conversion = bitmasks(pixels((CAR, 0, 7, (2, 3)), (CAR, OCCLUDED, 7, (12, 8))))
    assert_masks(conversion.data.tracks[0], [square(2, 3) | square(12, 8)])


def test_other_classes_are_left_out_and_pixels_without_a_class_are_background(bitmasks):
    conversion = bitmasks(pixels((CAR, 0, 7, (2, 3)), (9, 0, 8, (12, 8)), (0, 0, 9, (20, 3))))
    assert len(conversion.data.tracks) == 1
    assert [(left.what, left.count, left.why) for left in conversion.left_out] == [
        ("masks", 1, "class 9 is not one of segmentation tracking")
    ]


def test_a_frame_without_a_bitmask_is_not_annotated_and_one_of_zeros_shows_nothing(bitmasks):
    frames = (pixels((CAR, 0, 7, (2, 3))), None, pixels())
    assert bitmasks(*frames).data.videos[0].annotated_frames == (0, 2)
    assert bitmasks(*frames, missing_is_empty=True).data.videos[0].annotated_frames is None


def test_pngs_without_alpha_have_lost_half_of_the_id(bitmasks):
    with pytest.raises(UserError, match="mode RGB with 8 bits per value, expected red, green, blue and alpha"):
        bitmasks(colours(squares(_3=(2, 3))))
