"""How a training item is asked for, and what the loader needs of a set of clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mmdet.structures import ClipSample


@dataclass(frozen=True, slots=True)
class ItemKey:
    """Names one draw of one item: everything random in a sample is a function of this key and the dataset's seed."""

    epoch: int
    index: int
    repeat: int = 0  # how often this epoch has asked for the item before


class ClipDataset(Protocol):
    """A set of training items."""

    def __getitem__(self, key: ItemKey) -> ClipSample:
        """Return the sample that a key names."""
        ...

    @property
    def aspect_groups(self) -> np.ndarray:
        """(items,) 1 where the frame is wider than high, else 0."""
        ...

    def epoch_items(self, epoch: int) -> np.ndarray:
        """Return the indices of the items of an epoch; their number a group does not depend on the epoch."""
        ...
