"""Sets put together from what is seen in each frame."""

import numpy as np
import pytest

from mmdet.datasets.converting.assembly import SetBuilder
from mmdet.datasets.converting.category_names import Naming, naming_for
from mmdet.datasets.converting.conversion import ConvertRequest
from mmdet.errors import UserError
from mmdet.ops.masks.segmentations import decode_rle

SIZE = (8, 10)
SQUARE = [[1, 1, 4, 1, 4, 5, 1, 5]]


def pixels(rows, columns):
    mask = np.zeros(SIZE, bool)
    mask[rows, columns] = True
    return mask


@pytest.fixture
def builder():
    made = SetBuilder()
    made.add_video(SIZE, ["a/0.png", "a/1.png", "a/2.png"])
    return made


def test_one_identity_is_one_track_over_gaps(builder):
    builder.see(1, 0, "x", "dog", SQUARE)
    builder.see(1, 2, "x", "dog", pixels(slice(0, 2), slice(3, 9)))
    (track,) = builder.finish().data.tracks
    assert [mask is not None for mask in track.segmentations] == [True, False, True]
    assert track.boxes == [(1, 1, 3, 4), None, (3, 0, 6, 2)]
    assert track.areas == [12, None, 12]
    assert (decode_rle(track.segmentations[0]) == pixels(slice(1, 5), slice(1, 4))).all()


def test_one_identity_in_two_videos_is_two_tracks(builder):
    builder.add_video(SIZE, ["b/0.png"])
    builder.see(1, 0, 5, "dog", SQUARE)
    builder.see(2, 0, 5, "dog", SQUARE)
    assert [track.video_id for track in builder.finish().data.tracks] == [1, 2]


def test_parts_in_one_frame_are_joined_and_counted(builder):
    builder.see(1, 1, 5, "dog", pixels(slice(0, 2), slice(0, 2)))
    builder.see(1, 1, 5, "dog", pixels(slice(1, 3), slice(0, 2)))
    made = builder.finish()
    assert made.data.tracks[0].areas[1] == 6
    assert made.notes == ("1 masks are further parts of an object in one frame: they are joined",)


def test_a_mask_without_identity_is_an_object_of_its_own(builder):
    builder.see(1, 0, None, "dog", SQUARE)
    builder.see(1, 1, None, "dog", SQUARE)
    made = builder.finish()
    assert len(made.data.tracks) == 2
    assert made.notes == ("2 masks have no identity: each is an object of one frame",)


def test_masks_without_a_pixel_are_left_out_and_counted(builder):
    builder.see(1, 0, 1, "dog", pixels(slice(0, 0), slice(0, 0)))
    builder.see(1, 0, 2, "dog", [[20, 1, 24, 1, 24, 5]])
    builder.see(1, 0, 3, "dog", [[2, 1, 4, 1]])
    made = builder.finish()
    assert made.data.tracks == []
    assert [(left.what, left.count) for left in made.left_out] == [("masks without a pixel", 3)]


def test_categories_keep_the_known_order_and_others_follow_in_natural_order():
    builder = SetBuilder(Naming(known=("zebra", "ant")))
    builder.add_video(SIZE, ["0.png"])
    for number, name in enumerate(("dog 10", "ant", "dog 9")):
        builder.see(1, 0, number, name, SQUARE)
    data = builder.finish().data
    assert [(c.category_id, c.name) for c in data.categories] == [(1, "zebra"), (2, "ant"), (3, "dog 9"), (4, "dog 10")]
    assert [track.category_id for track in data.tracks] == [4, 2, 3]


def test_a_list_of_categories_leaves_others_out(tmp_path):
    (tmp_path / "names.txt").write_text("dog\nkatze ä\n", encoding="utf-8")
    naming = naming_for(ConvertRequest(source=tmp_path, categories=tmp_path / "names.txt"), known=["cow"])
    builder = SetBuilder(naming)
    builder.add_video(SIZE, ["0.png"])
    builder.see(1, 0, 1, "katze ä", SQUARE)
    builder.see(1, 0, 2, "cow", SQUARE)
    made = builder.finish()
    assert [category.name for category in made.data.categories] == ["dog", "katze ä"]
    assert [track.category_id for track in made.data.tracks] == [2]
    assert [(left.what, left.count) for left in made.left_out] == [("masks of other categories", 1)]


def test_one_category_is_that_of_all_objects():
    builder = SetBuilder(naming_for(ConvertRequest(source=None, category="thing"), known=["cow"]))
    builder.add_video(SIZE, ["0.png"])
    builder.see(1, 0, 1, "cow", SQUARE)
    assert [category.name for category in builder.finish().data.categories] == ["thing"]


def test_a_track_of_several_categories_has_its_most_frequent_one(builder):
    for frame, name in enumerate(("dog", "cat", "cat")):
        builder.see(1, frame, 1, name, SQUARE)
    made = builder.finish()
    assert made.data.categories[made.data.tracks[0].category_id - 1].name == "cat"
    assert made.notes == ("1 objects change their category: each has its most frequent one",)


def test_a_list_of_all_frames_as_annotated_is_no_list():
    builder = SetBuilder()
    builder.add_video(SIZE, ["0.png", "1.png"], annotated=[0, 1])
    builder.add_video(SIZE, ["2.png", "3.png"], annotated=[1])
    assert [video.annotated_frames for video in builder.finish().data.videos] == [None, (1,)]


def test_a_mask_of_another_size_is_named(builder):
    with pytest.raises(UserError, match="here: the mask is 4x3, its frame 10x8"):
        builder.see(1, 0, 1, "dog", np.ones((3, 4), bool), where="here")


def test_a_malformed_mask_is_named(builder):
    with pytest.raises(UserError, match="here: a polygon is a list of numbers"):
        builder.see(1, 0, 1, "dog", [["a", 1, 2, 3, 4, 5]], where="here")
