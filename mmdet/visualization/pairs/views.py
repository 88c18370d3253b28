"""What is shown of a training clip, as plain values: its frames, their objects, and the points that learn them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmdet.structures import Box
from mmdet.visualization.draw import Color, Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class PairObject:
    """An object or crowd region of one of the frames. Boxes are in pixels of the frame."""

    tag: str
    color: Color  # the same in all frames
    box: Box
    jittered_box: Box | None = None  # of a reference: what the model gets instead of `box`
    mask: NDArray[np.bool_] | None = None  # (H/2, W/2), where the model learns it
    is_crowd: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFrame:
    """A frame as the model gets it, before normalisation."""

    picture: Picture  # (H, W, 3), padded
    valid: NDArray[np.bool_]  # (H, W): not padding
    objects: tuple[PairObject, ...]
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningPoints:
    """N points of the key frame, each with the object that it learns."""

    xy: NDArray[np.float32]  # (N, 2) pixels of the frame
    levels: NDArray[np.int64]  # (N,) index of the level, 0 is the finest
    rows: NDArray[np.int64]  # (N,) index in the key's objects


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of text below the pictures; an alarming one is red."""

    text: str
    alarming: bool = False
    color: Color | None = None  # of a mark before the text


@dataclass(frozen=True, slots=True, kw_only=True)
class PairView:
    """A training clip and what it teaches."""

    key: PairFrame
    references: tuple[PairFrame, ...]
    strides: tuple[int, ...]
    positives: LearningPoints
    memory: LearningPoints | None  # the points that write; None: there is no memory
    lines: tuple[Line, ...]
