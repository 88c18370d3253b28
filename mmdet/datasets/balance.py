"""Frames of rare classes more than once in an epoch: repeat factors by the share of videos that show a class.

Source: Gupta et al., LVIS: A Dataset for Large Vocabulary Instance Segmentation (CVPR 2019), with videos in place of
images: the frames of one video are alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdet.errors import UserError

_STREAM = 0xBA1A  # so that these draws have a generator of their own
_NAMED_CLASSES = 3


def class_factors(item_classes: Sequence[frozenset[int]], videos: np.ndarray, threshold: float) -> dict[int, float]:
    """Return for every class max(1, sqrt(threshold / f)); f is the share of videos with an item that shows it."""
    shown: dict[int, set[int]] = {}
    for classes, video in zip(item_classes, videos.tolist(), strict=True):
        for label in classes:
            shown.setdefault(label, set()).add(video)
    count = len(np.unique(videos))
    return {label: max(1.0, (threshold * count / len(found)) ** 0.5) for label, found in sorted(shown.items())}


class BalancedItems:
    """The items of a data set, in every epoch as often as the largest factor of their classes says.

    A factor of 1.5 is once in one half of the epochs and twice in the other; which, is drawn for every epoch. The
    number of items is rounded up per aspect group, and is the same in every epoch.
    """

    def __init__(self, dataset: Any, threshold: float, seed: int) -> None:
        if not hasattr(dataset, "item_classes"):
            raise UserError(
                f"data.train.repeat_threshold: {type(dataset).__name__} does not say what its items show "
                "(item_classes, item_videos); leave it out"
            )
        self.dataset, self.seed, self.aspect_groups = dataset, seed, dataset.aspect_groups
        item_classes = dataset.item_classes
        self.by_class = class_factors(item_classes, dataset.item_videos, threshold)
        self.factors = np.array(
            [max((self.by_class[label] for label in classes), default=1.0) for classes in item_classes]
        )
        first = dataset.epoch_items(0)
        groups = self.aspect_groups[first]
        self._counts = {int(g): int(np.ceil(self.factors[first[groups == g]].sum() - 1e-6)) for g in np.unique(groups)}

    def epoch_items(self, epoch: int) -> np.ndarray:
        """Return the indices of the items of an epoch."""
        items = self.dataset.epoch_items(epoch)
        groups = self.aspect_groups[items]
        drawn = []
        for group, count in self._counts.items():
            rng = np.random.default_rng([self.seed, epoch, group, 0, 0, _STREAM])
            own = rng.permutation(items[groups == group])
            drawn.append(np.repeat(own, shared_out(self.factors[own], count, rng.random())))
        return np.concatenate(drawn)

    def describe(self, class_names: Sequence[str]) -> str:
        """Return a line for the log: how long an epoch is, and the classes that come more often."""
        rare = sorted(((factor, label) for label, factor in self.by_class.items() if factor > 1), reverse=True)
        named = ", ".join(f"{class_names[label]} {factor:.1f} times" for factor, label in rare[:_NAMED_CLASSES])
        named += f" and {len(rare) - _NAMED_CLASSES} more classes" if len(rare) > _NAMED_CLASSES else ""
        before, after = len(self.dataset.epoch_items(0)), sum(self._counts.values())
        said = f"frames of rare classes are repeated ({named})" if rare else "no class is rare, nothing is repeated"
        return f"repeat_threshold: {said}; an epoch has {after} clips instead of {before}"


def shared_out(factors: NDArray[np.float64], count: int, offset: float) -> NDArray[np.int64]:
    """Return how often each item comes: integers next to `factors`, scaled so that they sum to exactly `count`.

    `offset` in [0, 1) decides which are rounded up. This is systematic sampling: over all offsets the mean is exact.
    """
    ends = np.cumsum(factors) * (count / factors.sum())
    ends[-1] = count
    return np.diff(np.floor(ends + offset), prepend=0.0).astype(np.int64)
