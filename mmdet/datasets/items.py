"""The key of a training item, the choice of its reference frame, and what the loader needs from a set of clips.

Source of the pairing: MODEL.md 9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mmdet.structures import ClipSample


@dataclass(frozen=True, slots=True)
class ItemKey:
    """Names one draw of one item. Everything random in a sample is a function of this key and the dataset's seed."""

    epoch: int
    index: int
    repeat: int = 0  # how often the item was drawn before in this epoch


class ClipDataset(Protocol):
    """A set of training items."""

    def __getitem__(self, key: ItemKey) -> ClipSample:
        """Return the sample of a key."""
        ...

    @property
    def aspect_groups(self) -> np.ndarray:
        """(items,): 1 if the frame is wider than high, else 0."""
        ...

    def epoch_items(self, epoch: int) -> np.ndarray:
        """Return the indices of the items of an epoch. Their number per aspect group is the same in every epoch."""
        ...


def choose_reference(candidates: Sequence[int], key: int, rng: np.random.Generator, max_gap: int = 5) -> int:
    """Draw the reference of frame `key` uniformly from the `candidates`, the annotated frames of its video.

    Other frames at most `max_gap` frames away come first; if there are none, all other frames. The only annotated frame
    of a video is paired with itself (MODEL.md 10, Q18).
    """
    others = [frame for frame in candidates if frame != key]
    near = [frame for frame in others if abs(frame - key) <= max_gap]
    choices = near or others or [key]
    return choices[int(rng.integers(len(choices)))]
