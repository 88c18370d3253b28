"""Which frames are annotated, and which files look as if most were not."""

import pytest

from mmdet.errors import UserError
from mmdet.fileio.annotations.annotated_frames import only_at, read_annotated_frames, sparse_note


def test_annotated_frames_come_in_order_and_once():
    assert read_annotated_frames([5, 0, 5], 6, "here") == (0, 5)
    assert read_annotated_frames([], 6, "here") == ()
    assert read_annotated_frames(None, 6, "here") is None


@pytest.mark.parametrize("value", [3, "3", [6], [-1], [1.5], [True], [None], {}])
def test_what_is_no_list_of_frames_is_refused(value):
    with pytest.raises(UserError, match=r"here: 'annotated_frames' is .*, expected a list of frame numbers from 0"):
        read_annotated_frames(value, 6, "here")


def test_only_annotated_frames_keep_their_values():
    assert only_at(["a", "b", "c"], (0, 2)) == ["a", None, "c"]
    assert only_at(["a", "b"], None) == ["a", "b"]


@pytest.mark.parametrize(
    ("videos", "is_sparse"),
    [
        ([(12, {0, 5, 10})], True),
        ([(30, {0, 5, 10, 20, 25}), (30, {5, 10, 15}), (30, {4})], True),  # an object may be hidden in one
        ([(12, set(range(12)))], False),
        ([(12, {0, 1, 5, 10})], False),
        ([(12, {3, 4, 5}), (12, {0, 5, 10})], False),
        ([(12, {0, 6})], False),  # two frames are no pattern
        ([(100, {0, 40, 90})], False),
        ([(12, set())], False),
        ([], False),
    ],
)
def test_regular_gaps_are_told_from_objects_that_come_and_go(videos, is_sparse):
    note = sparse_note(videos)
    assert (note is not None) == is_sparse
    assert note is None or "list the labelled ones as 'annotated_frames' of each video" in note
