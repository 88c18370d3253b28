from collections import Counter

import numpy as np
import pytest

from mmdet.datasets import ItemKey, MixedDataset, VISDataset
from mmdet.datasets.mixed import apportion
from mmdet.errors import UserError


@pytest.fixture
def make_dataset(tmp_path, tiny_set):
    def make(name, frames, high_frames=0, categories=None):
        data = type(tiny_set)(tmp_path / name)
        data.raw["categories"] = categories or data.raw["categories"]
        for number, (count, size) in enumerate([(frames, (36, 48)), (high_frames, (48, 36))]):
            if count:
                data.add_track(10 + number, data.add_video(number, count, size), data.raw["categories"][0]["id"], x=1)
        return VISDataset(**data.write(), transforms=[])

    return make


def test_indices_run_through_the_datasets(make_dataset):
    a, b = make_dataset("a", 3), make_dataset("b", 2, high_frames=1)
    mixed = MixedDataset([a, b])
    assert len(mixed) == 6
    for index, (source, local) in enumerate([(a, 0), (a, 1), (a, 2), (b, 0), (b, 1), (b, 2)]):
        expected, got = source[ItemKey(4, local)], mixed[ItemKey(4, index)]
        assert got.metas == expected.metas
        assert got.images.equal(expected.images)
    assert mixed.aspect_groups.tolist() == [1, 1, 1, 1, 1, 0]


def test_it_has_the_properties_of_its_datasets(make_dataset):
    a, b = make_dataset("a", 3), make_dataset("b", 2)
    mixed = MixedDataset([a, b])
    assert (mixed.num_classes, mixed.class_names, mixed.category_ids) == (2, ("dog", "cat"), (30, 7))
    assert mixed.has_annotations
    assert a.ann_file in mixed.ann_file


def test_without_ratios_every_item_comes_once(make_dataset):
    mixed = MixedDataset([make_dataset("a", 3), make_dataset("b", 2)])
    assert mixed.epoch_items(7).tolist() == [0, 1, 2, 3, 4]


def test_with_ratios_every_dataset_has_its_share(make_dataset):
    mixed = MixedDataset([make_dataset("a", 9), make_dataset("b", 3)], ratios=[1, 1])
    for epoch in range(4):
        items = mixed.epoch_items(epoch)
        assert len(items) == 12
        assert (items < 9).sum() == 6
        counts = Counter(items[items >= 9].tolist())
        assert set(counts.values()) == {2}


@pytest.mark.parametrize(("ratios", "of_the_first"), [([3, 1], 9), ([1, 3], 3), ([0.5, 1], 4)])
def test_each_dataset_has_the_share_that_stands_in_its_place(make_dataset, ratios, of_the_first):
    mixed = MixedDataset([make_dataset("a", 9), make_dataset("b", 3)], ratios=ratios)
    assert [(mixed.epoch_items(epoch) < 9).sum() for epoch in range(3)] == [of_the_first] * 3


def test_all_items_are_drawn_before_one_is_drawn_again(make_dataset):
    mixed = MixedDataset([make_dataset("a", 9), make_dataset("b", 3)], ratios=[1, 1])
    drawn = np.concatenate([mixed.epoch_items(epoch)[:6] for epoch in range(3)])  # 18 draws of 9 items
    assert sorted(drawn[:9]) == sorted(drawn[9:]) == list(range(9))


def test_an_epoch_does_not_depend_on_those_before(make_dataset):
    sets = [make_dataset("a", 9), make_dataset("b", 3)]
    used, fresh = MixedDataset(sets, ratios=[2, 1], seed=3), MixedDataset(sets, ratios=[2, 1], seed=3)
    for epoch in range(5):
        used.epoch_items(epoch)
    assert used.epoch_items(5).tolist() == fresh.epoch_items(5).tolist()
    assert used.epoch_items(5).tolist() != used.epoch_items(6).tolist()
    assert used.epoch_items(5).tolist() != MixedDataset(sets, ratios=[2, 1], seed=4).epoch_items(5).tolist()


def test_the_aspect_groups_of_all_epochs_have_the_same_sizes(make_dataset):
    mixed = MixedDataset([make_dataset("a", 7, high_frames=4), make_dataset("b", 3, high_frames=5)], ratios=[0.3, 0.7])
    sizes = {tuple(np.bincount(mixed.aspect_groups[mixed.epoch_items(epoch)])) for epoch in range(10)}
    assert len(sizes) == 1
    assert sum(sizes.pop()) == len(mixed)


def test_other_classes_are_refused_with_the_difference(make_dataset):
    a = make_dataset("a", 2)
    b = make_dataset("b", 2, categories=[{"id": 30, "name": "dog"}, {"id": 7, "name": "cow"}])
    with pytest.raises(UserError, match=r"class 1 is cat in .*/a/.* and cow in .*/b/"):
        MixedDataset([a, b])


def test_fewer_classes_are_refused_with_the_difference(make_dataset):
    a, b = make_dataset("a", 2), make_dataset("b", 2, categories=[{"id": 1, "name": "dog"}])
    with pytest.raises(UserError, match=r"class 1 is cat in .* \(2 classes\) and missing in .* \(1 classes\)"):
        MixedDataset([a, b])


@pytest.mark.parametrize("ratios", [[1.0], [1, 0], [1, -1], [1, 1, 1]])
def test_ratios_are_one_positive_number_a_dataset(make_dataset, ratios):
    with pytest.raises(UserError, match="expected one positive number for each of 2 datasets"):
        MixedDataset([make_dataset("a", 2), make_dataset("b", 2)], ratios=ratios)


def test_no_dataset_at_all_is_refused():
    with pytest.raises(UserError, match="nothing to train on"):
        MixedDataset([])


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [(10, [1, 1], [5, 5]), (10, [1, 1, 1], [4, 3, 3]), (7, [0.5, 0.25, 0.25], [3, 2, 2]), (0, [1, 2], [0, 0])],
)
def test_shares_are_in_proportion_and_sum_to_the_total(total, weights, shares):
    assert sorted(apportion(total, weights), reverse=True) == sorted(shares, reverse=True)
    assert apportion(total, weights).sum() == total


def test_sets_with_clips_of_different_lengths_are_refused(two_videos):
    data = two_videos.write()
    pair, longer = VISDataset(**data, transforms=[]), VISDataset(**data, transforms=[], clip_length=3)
    assert MixedDataset([longer, longer]).clip_length == 3
    with pytest.raises(UserError, match="clip_length is 2 for .*instances_train.json and 3 for"):
        MixedDataset([pair, longer])
