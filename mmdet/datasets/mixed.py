"""Several datasets as one, each with its share of an epoch. Random draws depend on (seed, epoch) only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mmdet.datasets.items import ItemKey, clip_length_of
from mmdet.datasets.vis_dataset import VISDataset
from mmdet.errors import UserError
from mmdet.structures import ClipSample


class MixedDataset:
    """Datasets with the same classes in the same order, joined. Item indices count through one after the other.

    Without `ratios` an epoch is every item of every dataset once. With them an epoch has the same length and each
    dataset fills its share; across epochs it gives all its items, in random order, before any item again.
    """

    def __init__(self, datasets: Sequence[VISDataset], ratios: Sequence[float] | None = None, seed: int = 0) -> None:
        _check(datasets, ratios)
        self.datasets, self.seed = list(datasets), seed
        self._ends = np.cumsum([len(dataset) for dataset in self.datasets])
        self.aspect_groups = np.concatenate([dataset.aspect_groups for dataset in self.datasets])
        self.class_names, self.category_ids = datasets[0].class_names, datasets[0].category_ids
        self.num_classes, self.clip_length = datasets[0].num_classes, clip_length_of(datasets[0])
        self.reference_masks = all(getattr(dataset, "reference_masks", True) for dataset in datasets)
        self.whole_masks = all(getattr(dataset, "whole_masks", False) for dataset in datasets)
        self.ann_file = ", ".join(dataset.ann_file for dataset in datasets)
        self.has_annotations = all(dataset.has_annotations for dataset in datasets)
        self.notes = tuple(note for dataset in datasets for note in dataset.notes)
        self._cells = None if ratios is None else self._divide(ratios)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, key: ItemKey) -> ClipSample:
        """Return the sample of a key."""
        dataset, index = self.locate(key.index)
        return dataset[replace(key, index=index)]

    def locate(self, index: int) -> tuple[VISDataset, int]:
        """Return the dataset that an item is from, and the item's index there."""
        which = int(np.searchsorted(self._ends, index, side="right"))
        dataset = self.datasets[which]
        return dataset, index - int(self._ends[which]) + len(dataset)

    def epoch_items(self, epoch: int) -> np.ndarray:
        """Return the indices of the items of an epoch. With ratios an item may be missing or occur several times."""
        if self._cells is None:
            return np.concatenate([start + dataset.epoch_items(epoch) for start, dataset in self._parts()])
        return np.concatenate([self._draw(cell, epoch) for cell in range(len(self._cells))])

    @property
    def item_classes(self) -> list[frozenset[int]]:
        """The labels of the objects that each item's key frame shows, crowds left out."""
        return [classes for dataset in self.datasets for classes in dataset.item_classes]

    @property
    def item_videos(self) -> np.ndarray:
        """(items,): a number of each item's video, different in every dataset."""
        firsts = np.cumsum([0, *(len(dataset.videos) for dataset in self.datasets[:-1])])
        return np.concatenate([first + d.item_videos for first, d in zip(firsts, self.datasets, strict=True)])

    def _parts(self) -> list[tuple[int, VISDataset]]:
        """List every dataset after the index of its first item."""
        return [(int(end) - len(dataset), dataset) for end, dataset in zip(self._ends, self.datasets, strict=True)]

    def _divide(self, ratios: Sequence[float]) -> list[tuple[np.ndarray, int]]:
        """List (items, draws per epoch) for every aspect group of every dataset.

        Groups are drawn separately, so that every epoch has the same number of batches.
        """
        cells = []
        starts = self._ends - [len(dataset) for dataset in self.datasets]
        for start, end, share in zip(starts, self._ends, apportion(len(self), ratios), strict=True):
            groups = self.aspect_groups[start:end]
            members = [start + np.flatnonzero(groups == group) for group in np.unique(groups)]
            counts = apportion(int(share), [len(items) for items in members])
            cells += [(items, int(count)) for items, count in zip(members, counts, strict=True)]
        return cells

    def _draw(self, cell: int, epoch: int) -> np.ndarray:
        """Return one epoch's part of an endless sequence of permutations of a group's items."""
        assert self._cells is not None
        items, count = self._cells[cell]
        first, last = epoch * count // len(items), (epoch + 1) * count // len(items)
        row = [np.random.default_rng([self.seed, cell, turn]).permutation(items) for turn in range(first, last + 1)]
        offset = epoch * count - first * len(items)
        return np.concatenate(row)[offset : offset + count]


def apportion(total: int, weights: Sequence[float]) -> np.ndarray:
    """Split `total` in proportion to `weights` into integers that sum to it: the largest fractions are rounded up."""
    exact = total * np.asarray(weights, np.float64) / np.sum(weights)
    shares = np.floor(exact).astype(np.int64)
    rounded_up = np.argsort(shares - exact, kind="stable")[: total - int(shares.sum())]
    shares[rounded_up] += 1
    return shares


def _check(datasets: Sequence[VISDataset], ratios: Sequence[float] | None) -> None:
    if not datasets:
        raise UserError("data.train.datasets is empty: nothing to train on")
    first = datasets[0]
    for other in datasets[1:]:
        if other.class_names != first.class_names:
            pairs = enumerate(zip(first.class_names, other.class_names, strict=False))
            label = next((i for i, (a, b) in pairs if a != b), min(first.num_classes, other.num_classes))
            names = [d.class_names[label] if label < d.num_classes else "missing" for d in (first, other)]
            raise UserError(
                f"datasets to be mixed need the same classes in the same order, but class {label} is {names[0]} in "
                f"{first.ann_file} ({first.num_classes} classes) and {names[1]} in {other.ann_file} "
                f"({other.num_classes} classes): --map-categories matches them by name"
            )
        if clip_length_of(other) != clip_length_of(first):
            raise UserError(
                f"datasets to be mixed need clips of one length, but clip_length is {clip_length_of(first)} for "
                f"{first.ann_file} and {clip_length_of(other)} for {other.ann_file}"
            )
    if ratios is not None and (len(ratios) != len(datasets) or not all(0 < r < math.inf for r in ratios)):
        raise UserError(f"ratios are {list(ratios)}, expected one positive number for each of {len(datasets)} datasets")
