from collections import Counter

import numpy as np

from mmdet.datasets.items import choose_reference, choose_references


def draws(candidates, key, count=300, **options):
    rng = np.random.default_rng(0)
    return Counter(choose_reference(candidates, key, rng, **options) for _ in range(count))


def test_all_other_frames_within_the_gap_are_drawn_alike():
    counts = draws([0, 4, 5, 9, 10, 14, 15, 16, 40], key=10, count=3000)
    assert set(counts) == {5, 9, 14, 15}
    assert max(counts.values()) / min(counts.values()) < 1.3


def test_without_a_near_frame_any_other_frame_is_drawn():
    assert set(draws([0, 10, 30, 31], key=10)) == {0, 30, 31}


def test_a_video_with_one_annotated_frame_pairs_with_itself():
    assert set(draws([7], key=7)) == {7}


def test_the_gap_is_an_argument():
    assert set(draws([0, 1, 2, 3], key=0, max_gap=2)) == {1, 2}


def test_the_same_generator_state_gives_the_same_frame():
    first, second = (choose_reference(range(50), 20, np.random.default_rng(5)) for _ in range(2))
    assert first == second


def clips(candidates, key, count=2, draws=200, **options):
    rng = np.random.default_rng(0)
    return [choose_references(candidates, key, rng, count=count, **options) for _ in range(draws)]


def test_one_reference_is_drawn_as_for_a_pair():
    rngs = [np.random.default_rng(3) for _ in range(2)]
    for key in range(20):
        assert choose_references(range(20), key, rngs[0]) == [choose_reference(range(20), key, rngs[1])]


def test_several_references_differ_and_near_ones_come_first():
    drawn = clips([0, 8, 9, 10, 30, 31], key=9, count=3)
    assert all(set(clip[:2]) == {8, 10} and clip[2] in (0, 30, 31) for clip in drawn)
    assert {tuple(clip[:2]) for clip in drawn} == {(8, 10), (10, 8)}


def test_a_video_with_fewer_frames_than_the_clip_repeats_its_other_frames():
    assert {tuple(clip) for clip in clips([3, 5], key=5)} == {(3, 3)}
    assert clips([7], key=7, draws=1) == [[7, 7]]


def test_even_references_are_equally_far_apart_in_both_directions():
    drawn = {tuple(clip) for clip in clips(range(20), key=9, max_gap=3, spacing="even")}
    assert drawn == {(9 + step, 9 + 2 * step) for step in (-3, -2, -1, 1, 2, 3)}


def test_even_references_keep_to_annotated_frames_and_to_the_video():
    assert {tuple(clip) for clip in clips([0, 5, 10, 15], key=0, spacing="even")} == {(5, 10)}


def test_without_even_references_they_are_drawn_at_random():
    assert {frozenset(clip) for clip in clips([0, 1, 3], key=1, spacing="even")} == {frozenset((0, 3))}


def test_without_a_gap_near_frames_are_not_preferred():
    counts = draws([0, 10, 11, 500], key=10, count=3000, max_gap=None)
    assert set(counts) == {0, 11, 500}
    assert max(counts.values()) / min(counts.values()) < 1.3


def test_even_references_without_a_gap_are_as_far_apart_as_the_video_allows():
    drawn = {tuple(clip) for clip in clips(range(9), key=4, max_gap=None, spacing="even")}
    assert drawn == {(4 + step, 4 + 2 * step) for step in (-2, -1, 1, 2)}
