from collections import Counter

import numpy as np

from mmdet.datasets.items import choose_reference


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
