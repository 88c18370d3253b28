"""Entries of a result file as results that can be drawn: each odd one is read or refused in one line."""

import numpy as np
import pytest

from mmdet.errors import UserError
from mmdet.evaluation.loaded_results import rebuild_results
from mmdet.fileio.annotations.vis_json import VideoInfo
from mmdet.ops.masks.segmentations import decode_rle, encode_masks

SIZE, FILES = (20, 30), ["0.jpg", "1.jpg", "2.jpg"]
MASK = encode_masks(np.pad(np.ones((1, 5, 6), bool), ((0, 0), (2, 13), (3, 21))))[0]
POLYGON = [[3, 2, 9, 2, 9, 7, 3, 7]]
GOOD = {
    "video_id": 4, "category_id": 30, "score": 0.5, "segmentations": [MASK, None, MASK],
    "detections": [[3, 2, 9, 7], None, [3, 2, 9, 7]], "cats": [1, None, 1],
}  # fmt: skip


def rebuild(*entries):
    return rebuild_results(entries, [VideoInfo(4, SIZE, FILES), VideoInfo(9, SIZE, FILES[:1])], [7, 30], "valid.json")


def first(**changes):
    return rebuild({**GOOD, **changes})[0].tubes[0]


def test_every_video_has_a_result():
    with_tracks, without = rebuild(GOOD)
    assert (with_tracks.video_id, len(with_tracks.tubes)) == (4, 1)
    assert (without.video_id, without.num_frames, without.tubes) == (9, 1, ())


@pytest.mark.parametrize(
    "mask",
    [
        POLYGON,
        POLYGON[0],
        {"size": [20, 30], "counts": [62, 5, 15, 5, 15, 5, 15, 5, 15, 5, 15, 5, 433]},
        {"size": [20, 30], "counts": str(MASK["counts"].encode())},
        {"size": [20, 30], "counts": MASK["counts"].encode()},
    ],
    ids=["polygons", "a flat polygon", "runs", "shown bytes", "bytes"],
)
def test_masks_of_every_kind_can_be_drawn(mask):
    tube = first(segmentations=[mask, None, None])
    assert np.array_equal(decode_rle(tube.segmentations[0]), decode_rle(MASK))
    assert tube.segmentations[0]["counts"] == MASK["counts"]


@pytest.mark.parametrize("empty", [None, [], {}])
def test_a_track_that_is_never_seen_is_left_out(empty):
    assert rebuild({**GOOD, "segmentations": [empty] * len(FILES)})[0].tubes == ()


def test_entries_with_the_same_masks_are_one_track_whatever_their_codes():
    """Once as RLE, once as a polygon, once as another track."""
    polygon = {**GOOD, "segmentations": [POLYGON, None, POLYGON], "category_id": 7, "score": 0.7, "cats": None}
    one, other = rebuild(GOOD, polygon, {**GOOD, "segmentations": [None, MASK, None]})[0].tubes
    assert (one.track_id, one.label, one.score, one.classes) == (0, 0, 0.7, ((0, 0.7), (1, 0.5)))
    assert other.track_id == 1


def test_labels_and_boxes_that_are_not_there_are_filled_in():
    tube = first(cats=[None, None, 0], detections=[None, [], [3, 2, 9, 7]])
    assert list(tube.labels) == [1, None, 0]
    assert list(tube.boxes) == [None, None, (3, 2, 9, 7)]
    assert list(first(cats=None, detections=None).boxes) == [None] * len(FILES)


def test_boxes_are_kept_inside_of_the_frame():
    tube = first(detections=[[-1e300, -5, 1e300, 7], None, None])
    assert tube.boxes[0] == (0, 0, 30, 7)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"video_id": 5}, r"of videos that valid\.json does not have: \[5\]"),
        ({"category_id": 1}, r"of categories that valid\.json does not have: \[1\]"),
        ({"segmentations": [MASK]}, "has segmentations that are not a list of 3 entries, one per frame: 1 entries"),
        ({"segmentations": "abc"}, "has segmentations that are not a list of 3 entries, one per frame: 'abc'"),
        ({"detections": [None]}, "has detections that are not a list of 3 entries"),
        ({"cats": {}}, "has cats that are not a list of 3 entries"),
        ({"cats": [-1, None, 1]}, "frame 0: cats holds -1, labels are null or 0 to 1"),
        ({"cats": [1, 2, 1]}, "frame 1: cats holds 2"),
        ({"cats": [1, None, "dog"]}, "frame 2: cats holds 'dog'"),
        ({"cats": [1, None, 1.0]}, r"frame 2: cats holds 1\.0"),
        ({"cats": [1, None, True]}, "frame 2: cats holds True"),
        ({"detections": [[float("nan"), 2, 9, 7], None, None]}, "frame 0: a box is four numbers or null"),
        ({"detections": [None, None, [3, 2, float("inf"), 7]]}, "frame 2: a box is four numbers or null"),
        ({"detections": [[3, 2, 9], None, None]}, "frame 0: a box is four numbers or null"),
        ({"detections": [["a", 2, 9, 7], None, None]}, "frame 0: a box is four numbers or null"),
        ({"detections": [5, None, None]}, "frame 0: a box is four numbers or null"),
        ({"detections": [[9, 2, 3, 7], None, None]}, "has a negative side"),
        ({"segmentations": [None, "abc", None]}, "frame 1: a segmentation is an RLE"),
        ({"segmentations": [None, None, 5]}, "frame 2: a segmentation is an RLE"),
        ({"segmentations": [{"size": [30, 20], "counts": MASK["counts"]}, None, None]}, "frame 0: the mask has size"),
        ({"segmentations": [{"size": [20, 30], "counts": "~"}, None, None]}, "frame 0: counts"),
        ({"segmentations": [None, [[1, 2, 3, 4, 5, "x"]], None]}, "frame 1: a polygon is a list of numbers"),
        ({"segmentations": [None, [[0, 0, 1e6, 0, 1e6, 1e6]], None]}, "frame 1: a polygon reaches far outside"),
    ],
)
def test_an_entry_that_cannot_be_drawn_is_named(changes, message):
    with pytest.raises(UserError, match=message) as error:
        rebuild(GOOD, {**GOOD, **changes})
    assert len(str(error.value)) < 300
    assert "video_id" in changes or "category_id" in changes or "result 1 of video 4" in str(error.value)
