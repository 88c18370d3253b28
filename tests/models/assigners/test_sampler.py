"""The random sampler of two-stage models."""

import torch

from mmdet.models.assigners import RandomSampler
from mmdet.structures.two_stage_outputs import BoxAssignment


def assigned(*images):
    """Assignments of images given as texts: + positive, - negative, . ignored."""
    signs = [list(image) for image in images]
    positive, negative = (torch.tensor([[sign == mark for sign in image] for image in signs]) for mark in "+-")
    return BoxAssignment(owner=torch.zeros_like(positive, dtype=torch.int64), positive=positive, negative=negative)


def sample(images, num=8, fraction=0.5, seed=0):
    return RandomSampler(num, fraction)(assigned(*images), torch.Generator().manual_seed(seed))


def test_all_positives_are_taken_if_they_are_few_and_negatives_fill_up():
    found = sample(["+--.-+----------"])
    assert found.index[0, :2].tolist() == [0, 5]
    assert found.positive.tolist() == [[True] * 2 + [False] * 6]
    assert found.valid.all()


def test_no_more_than_the_fraction_is_positive():
    found = sample(["+" * 20 + "-" * 20])
    assert found.positive.sum() == 4
    assert found.negative.sum() == 4


def test_positives_come_first_and_both_kinds_are_sorted_by_index():
    found = sample(["-+" * 20])
    index = found.index[0].tolist()
    assert index[:4] == sorted(index[:4])
    assert index[4:] == sorted(index[4:])
    assert all(i % 2 for i in index[:4])
    assert not any(i % 2 for i in index[4:])


def test_slots_without_a_box_are_not_valid():
    found = sample(["+..--.", "......"])
    assert found.valid.sum(dim=1).tolist() == [3, 0]
    assert found.index.tolist() == [[0, 3, 4, 0, 0, 0, 0, 0], [0] * 8]


def test_positives_are_never_more_than_their_share_even_without_negatives():
    found = sample(["+" * 10])
    assert found.valid.tolist() == [[True] * 4 + [False] * 4]


def test_every_box_is_drawn_equally_often():
    counts = torch.zeros(20)
    for seed in range(300):
        found = sample(["+" * 10 + "-" * 10], seed=seed)
        counts += torch.bincount(found.index[found.valid], minlength=20)
    assert counts.sum() == 300 * 8
    assert (abs(counts - 120) < 45).all()  # a standard deviation is 8.5


def test_the_same_generator_draws_the_same_sample():
    first, again, other = (sample(["+-" * 30], seed=seed).index.tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_given_draws_are_replayed():
    positives, negatives = (
        [torch.tensor([7, 2]), torch.tensor([], dtype=torch.int64)],
        [torch.tensor([4]), torch.tensor([9, 3])],
    )
    found = RandomSampler(4).replay(positives, negatives, count=10)
    assert found.index.tolist() == [[2, 7, 4, 0], [3, 9, 0, 0]]
    assert found.positive.tolist() == [[True, True, False, False], [False] * 4]
    assert found.valid.tolist() == [[True, True, True, False], [True, True, False, False]]
