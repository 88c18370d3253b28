"""Frames of rare classes come more often: by how much, in which epoch, and the same for all ranks."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from mmdet.datasets import ItemKey, MixedDataset, PairBatchSampler, VISDataset, make_train_loader
from mmdet.datasets.balance import BalancedItems, class_factors, shared_out
from mmdet.errors import UserError


class Items:
    """Items of videos by number, with the classes that they show."""

    def __init__(self, classes, videos, groups=None):
        self.item_classes = [frozenset(labels) for labels in classes]
        self.item_videos = np.array(videos)
        self.aspect_groups = np.zeros(len(videos), np.int64) if groups is None else np.array(groups)

    def epoch_items(self, epoch):
        return np.arange(len(self.item_videos))


@pytest.fixture
def rare():
    """Sixteen videos of two frames; class 0 in all, class 1 in one, class 2 in four."""
    classes = [{0} | ({1} if video == 0 else set()) | ({2} if video < 4 else set()) for video in range(16)]
    return Items([labels for labels in classes for _ in range(2)], np.repeat(np.arange(16), 2))


def test_factors_follow_from_the_share_of_videos():
    items = [frozenset({0}), frozenset({0, 1}), frozenset({0}), frozenset({0}), frozenset({0, 2})]
    videos = np.array([7, 7, 7, 9, 3])
    factors = class_factors(items, videos, threshold=0.75)
    assert factors == pytest.approx({0: 1, 1: (0.75 * 3) ** 0.5, 2: (0.75 * 3) ** 0.5})


def test_an_item_follows_its_rarest_class(rare):
    balanced = BalancedItems(rare, 1.0, seed=0)
    assert balanced.by_class == pytest.approx({0: 1, 1: 4, 2: 2})
    assert balanced.factors.tolist() == [4, 4] + [2] * 6 + [1] * 24
    assert Counter(balanced.epoch_items(0).tolist()) == Counter(dict(enumerate([4, 4] + [2] * 6 + [1] * 24)))


def test_fractions_are_repeated_in_their_share_of_the_epochs(rare):
    balanced = BalancedItems(rare, 0.5, seed=0)  # factors 2.83 and 1.41
    epochs = [np.bincount(balanced.epoch_items(epoch), minlength=32) for epoch in range(300)]
    assert {len(balanced.epoch_items(epoch)) for epoch in range(20)} == {int(np.ceil(balanced.factors.sum()))}
    assert np.mean(epochs, axis=0) == pytest.approx(balanced.factors, abs=0.1)
    assert all(set(counts[:2]) <= {2, 3} and set(counts[2:8]) <= {1, 2, 3} for counts in epochs)


def test_no_item_is_lost_in_any_epoch(rare):
    balanced = BalancedItems(rare, 0.3, seed=5)
    assert all(set(balanced.epoch_items(epoch)) == set(range(32)) for epoch in range(50))


def test_without_rare_classes_an_epoch_has_every_item_once(rare):
    balanced = BalancedItems(rare, 0.01, seed=0)
    assert sorted(balanced.epoch_items(3)) == list(range(32))
    assert "nothing is repeated" in balanced.describe(["a", "b", "c"])


def test_the_draws_are_a_function_of_seed_and_epoch(rare):
    first, again, other = (BalancedItems(rare, 0.5, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.epoch_items(4), again.epoch_items(4))
    assert not np.array_equal(first.epoch_items(4), first.epoch_items(5))
    assert not np.array_equal(first.epoch_items(4), other.epoch_items(4))


def test_every_aspect_group_has_its_own_constant_number():
    items = Items([{0}, {0, 1}, {0}, {0, 1}, {0}], range(5), groups=[0, 0, 1, 1, 1])
    balanced = BalancedItems(items, 0.9, seed=0)  # class 1: sqrt(2.25) = 1.5
    for epoch in range(10):
        drawn = balanced.epoch_items(epoch)
        assert np.bincount(items.aspect_groups[drawn]).tolist() == [3, 4]


def test_ranks_see_together_what_one_process_sees(rare):
    balanced = BalancedItems(rare, 0.5, seed=0)
    one = list(PairBatchSampler(balanced, 4, seed=0))
    two = [list(PairBatchSampler(BalancedItems(rare, 0.5, seed=0), 2, 0, rank, 2)) for rank in range(2)]
    assert [sum(batches, []) for batches in zip(*two, strict=True)] == one


def test_shares_are_next_to_their_factors_and_sum_exactly():
    rng = np.random.default_rng(0)
    for _ in range(200):
        factors = 1 + 3 * rng.random(50)
        count = int(np.ceil(factors.sum()))
        shares = shared_out(factors, count, rng.random())
        assert shares.sum() == count
        assert (np.abs(shares - factors * count / factors.sum()) < 1).all()


def test_a_set_says_what_its_items_show_without_crowds(two_videos):
    two_videos.raw["annotations"][1]["iscrowd"] = 1  # of class 30, in frames 1, 2, 5
    dataset = VISDataset(**two_videos.write(), transforms=[])
    shown = [(int(v), sorted(labels)) for v, labels in zip(dataset.item_videos, dataset.item_classes, strict=True)]
    assert shown == [(0, [1])] * 4 + [(1, [0])] * 3


def test_a_loader_repeats_frames_of_rare_classes_with_other_draws(two_videos):
    for number in range(2):
        two_videos.add_track(100 + number, two_videos.add_video(50 + number, frames=2), category_id=7)
    dataset = VISDataset(**two_videos.write(), transforms=[])
    loader = make_train_loader(dataset, 1, 0, seed=0, repeat_threshold=1.0)
    keys = [key for batch in loader.batch_sampler for key in batch]
    counts = Counter(key.index for key in keys)
    assert len(set(keys)) == len(keys) == len(loader) > len(dataset)
    rare = [index for index, labels in enumerate(dataset.item_classes) if 0 in labels]  # dogs, in 2 of 4 videos
    assert set(counts) == set(range(len(dataset)))
    assert min(counts[index] for index in rare) >= 1
    assert sum(counts[index] for index in rare) > len(rare)
    assert ItemKey(0, rare[0], 0) in keys


def test_videos_of_mixed_sets_count_together(two_videos, tmp_path):
    dataset = VISDataset(**two_videos.write(), transforms=[])
    mixed = MixedDataset([dataset, dataset])
    assert mixed.item_videos.tolist() == [0] * 5 + [1] * 3 + [2] * 5 + [3] * 3
    assert mixed.item_classes == dataset.item_classes * 2
    balanced = BalancedItems(MixedDataset([dataset, dataset], ratios=[3, 1]), 1.0, seed=0)
    assert len({len(balanced.epoch_items(epoch)) for epoch in range(8)}) == 1


def test_the_line_for_the_log_names_the_rarest_classes_and_the_length(rare):
    said = BalancedItems(rare, 1.0, seed=0).describe(["dog", "cat", "owl"])
    assert "(cat 4.0 times, owl 2.0 times)" in said
    assert "44 clips instead of 32" in said


def test_a_set_that_does_not_say_what_it_shows_is_refused():
    with pytest.raises(UserError, match="repeat_threshold: SimpleNamespace does not say what its items show"):
        BalancedItems(SimpleNamespace(aspect_groups=np.zeros(3)), 0.1, seed=0)
