"""The key of a training item, the choice of its reference frames, and what the loader needs from a set of clips.

Source of the pairing: MODEL.md 9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from mmdet.structures import ClipSample

PAIR = 2
Spacing = Literal["random", "even"]  # how the references of a clip are chosen


@dataclass(frozen=True, slots=True)
class ItemKey:
    """Names one draw of one item. Everything random in a sample is a function of this key and the dataset's seed."""

    epoch: int
    index: int
    repeat: int = 0  # how often the item was drawn before in this epoch


class OrderedItems(Protocol):
    """What a sampler needs to know of a set of training items."""

    @property
    def aspect_groups(self) -> np.ndarray:
        """(items,): 1 if the frame is wider than high, else 0."""
        ...

    def epoch_items(self, epoch: int) -> np.ndarray:
        """Return the indices of the items of an epoch. Their number per aspect group is the same in every epoch."""
        ...


class ClipDataset(OrderedItems, Protocol):
    """A set of training items."""

    def __getitem__(self, key: ItemKey) -> ClipSample:
        """Return the sample of a key."""
        ...


def clip_length_of(dataset: object) -> int:
    """Return the number of frames of a training set's clips; sets that do not say it give pairs."""
    return int(getattr(dataset, "clip_length", PAIR))


def choose_references(
    candidates: Sequence[int],
    key: int,
    rng: np.random.Generator,
    max_gap: int | None = 5,
    count: int = 1,
    spacing: Spacing = "random",
) -> list[int]:
    """Draw the `count` references of frame `key` among the `candidates`, the annotated frames of its video.

    With the spacing "random" they are drawn one after the other (see choose_reference), different from each other as
    long as there are other frames. With "even" key and references are equally far from each other, at most `max_gap`
    frames from one to the next, forwards or backwards in time; where no such frames exist they are drawn at random.
    With a `max_gap` of None any distance will do.
    """
    if spacing == "even":
        known = set(candidates)
        farthest = max(candidates) - min(candidates) if max_gap is None else max_gap
        steps = [step for step in range(-farthest, farthest + 1) if step]
        steps = [step for step in steps if all(key + step * turn in known for turn in range(1, count + 1))]
        if steps:
            step = steps[int(rng.integers(len(steps)))]
            return [key + step * turn for turn in range(1, count + 1)]
    chosen: list[int] = []
    for _ in range(count):
        left = [frame for frame in candidates if frame not in chosen]
        exhausted = all(frame == key for frame in left)
        chosen.append(choose_reference(candidates if exhausted else left, key, rng, max_gap))
    return chosen


def choose_reference(candidates: Sequence[int], key: int, rng: np.random.Generator, max_gap: int | None = 5) -> int:
    """Draw the reference of frame `key` uniformly from the `candidates`, the annotated frames of its video.

    Other frames at most `max_gap` frames away come first; if there are none, or with None, all other frames (the rule
    of SipMask-VIS and MaskTrack R-CNN, BASELINES.md 1.6). The only annotated frame of a video is paired with itself
    (MODEL.md 10, Q18).
    """
    others = [frame for frame in candidates if frame != key]
    near = [frame for frame in others if max_gap is not None and abs(frame - key) <= max_gap]
    choices = near or others or [key]
    return choices[int(rng.integers(len(choices)))]
