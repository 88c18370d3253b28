"""Which entries of results are one track."""

import pytest

from mmdet.structures import PerFrame
from mmdet.structures.same_tracks import best_entries, describe_tracks

A = {"size": [2, 2], "counts": "04"}
B = {"size": [2, 2], "counts": "13"}


def entry(score, *masks, category_id=1, video_id=1, **more):
    return {"video_id": video_id, "category_id": category_id, "score": score, "segmentations": list(masks), **more}


def test_entries_with_the_same_masks_are_one_track_and_the_highest_score_stands_for_it():
    entries = [entry(0.2, A, B), entry(0.7, B, A), entry(0.5, A, B, category_id=2), entry(0.3, A, B, category_id=3)]
    assert best_entries(entries) == [2, 1, 2, 2]


def test_of_equal_scores_the_first_stands_for_the_track():
    assert best_entries([entry(0.5, A), entry(0.5, A, category_id=2)]) == [0, 0]


@pytest.mark.parametrize("other", [(A, None), (None, A), (A, B), (B, A)])
def test_tracks_that_differ_in_one_frame_are_two(other):
    assert best_entries([entry(0.9, A, A), entry(0.1, *other)]) == [0, 1]


def test_the_same_masks_in_two_videos_are_two_tracks():
    assert best_entries([entry(0.9, A), entry(0.8, A, video_id=2)]) == [0, 1]


def test_codes_for_frames_of_another_size_are_other_masks():
    assert best_entries([entry(0.9, A), entry(0.8, A | {"size": [4, 1]})]) == [0, 1]


def test_entries_that_show_nothing_are_tracks_of_their_own():
    assert best_entries([entry(0.9, None, None), entry(0.8, None, None), entry(0.7, A, None)]) == [0, 1, 2]


def test_entries_without_masks_are_compared_by_their_boxes():
    box, other = [0, 0, 1, 1], [0, 0, 1, 2]
    rows = [("bboxes", box), ("bboxes", other), ("bboxes", box), ("detections", box)]
    entries = [
        {"video_id": 1, "category_id": number, "score": number / 10, key: [None, value]}
        for number, (key, value) in enumerate(rows)
    ]
    assert best_entries(entries) == [2, 1, 2, 3]


def test_sparse_and_full_lists_of_masks_are_the_same():
    sparse = entry(0.9, category_id=2) | {"segmentations": PerFrame(3, (1,), (A,))}
    assert best_entries([sparse, entry(0.95, None, A, None), entry(0.1, None, B, None)]) == [1, 1, 2]


def test_of_entries_that_repeat_a_class_each_is_of_another_track():
    first, second = [entry(0.9, A), entry(0.3, A, category_id=2)], [entry(0.4, A, category_id=2), entry(0.2, A)]
    assert best_entries([*first, *second]) == [0, 0, 2, 2]


@pytest.mark.parametrize("mask", [[[0, 0, 1, 0, 1, 1]], {"size": [2, 2], "counts": [0, 4]}, "?", {"counts": None}])
def test_masks_of_any_kind_are_compared_even_malformed_ones(mask):
    assert best_entries([entry(0.1, mask), entry(0.2, mask, category_id=2), entry(0.3, A)]) == [1, 1, 2]


def test_counts_name_entries_only_where_there_are_more_of_them_than_tracks():
    assert describe_tracks([]) == "0 tracks"
    assert describe_tracks([entry(0.1, A)]) == "1 track"
    assert describe_tracks([entry(0.1, A), entry(0.1, B)]) == "2 tracks"
    assert describe_tracks([entry(0.1, A), entry(0.1, B), entry(0.1, A, category_id=2)]) == "2 tracks (3 entries)"
