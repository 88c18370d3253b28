"""Turn, shift, stretch and slant frames with their masks and boxes: one motion for a clip, or stills set in motion.

A frame keeps its size. Boxes are those of the moved masks, so that they stay tight when an object turns or leaves the
frame in part.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdet.config.ranges import Fraction, Length, Natural, Positive, Range
from mmdet.datasets.transforms.geometric import RawFrame
from mmdet.errors import UserError
from mmdet.registry import TRANSFORMS
from mmdet.structures import Size

Colour = Annotated[tuple[int, int, int], Length(3)]
Slant = Annotated[float, Range(0, 60)]  # degrees
MEAN_COLOUR = (124, 116, 104)  # of natural images: about 0 after normalising, as the padding is


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """An affine motion about the middle of a frame."""

    rotation: float  # degrees, clockwise as seen
    shear: float  # degrees: by how much upright lines lean to the left
    scale: float
    shift: NDArray[np.float64]  # (x, y), fractions of the frame's sides

    def matrix(self, size: Size) -> NDArray[np.float64]:
        """Return the matrix (2, 3) from old to new places. Whole numbers are middles of pixels, as OpenCV counts."""
        angle = np.deg2rad(self.rotation)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        linear = self.scale * turn @ np.array([[1, np.tan(np.deg2rad(self.shear))], [0, 1]])
        sides = np.array(size[::-1], np.float64)
        middle = (sides - 1) / 2
        return np.column_stack([linear, middle - linear @ middle + self.shift * sides])


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionRange:
    """What motions are drawn from: each value uniformly from minus to plus its limit, scale between two."""

    rotation: float
    shear: float
    scale: tuple[float, float]
    shift: float

    def draw(self, rng: np.random.Generator) -> Motion:
        """Draw a motion. Scales are drawn by their logarithm: twice as large is as likely as half."""
        return Motion(
            rotation=rng.uniform(-self.rotation, self.rotation),
            shear=rng.uniform(-self.shear, self.shear),
            scale=float(np.exp(rng.uniform(*np.log(self.scale)))),
            shift=rng.uniform(-self.shift, self.shift, 2),
        )

    def part(self, share: float) -> MotionRange:
        """Return the ranges of motions that are smaller by a factor."""
        low, high = self.scale
        return MotionRange(
            rotation=self.rotation * share,
            shear=self.shear * share,
            scale=(low**share, high**share),
            shift=self.shift * share,
        )


@TRANSFORMS.register_module()
class RandomAffine:
    """With a `probability` turn, slant, scale and shift all frames of a clip alike.

    `rotation`, `shear`: degrees, at most, to either side; `shift`: at most, as a fraction of the frame's sides
    `scale`: (low, high)
    `difference`: every frame but the first moves on by as large a share of these ranges, drawn for each
    `fill`: the RGB colour of what lies outside of the picture; `least_pixels`: an object with fewer counts as hidden
    """

    only_in_training = True

    def __init__(
        self,
        rotation: Annotated[float, Range(0, 180)] = 10.0,
        shift: Fraction = 0.1,
        scale: Annotated[tuple[Positive, Positive], Length(2)] = (0.8, 1.25),
        shear: Slant = 0.0,
        difference: Fraction = 0.0,
        probability: Fraction = 0.5,
        fill: Colour = MEAN_COLOUR,
        least_pixels: Natural = 16,
    ) -> None:
        self.ranges = MotionRange(
            rotation=rotation, shear=shear, scale=rising(scale, "RandomAffine: scale"), shift=shift
        )
        self.difference, self.probability, self.fill, self.least_pixels = difference, probability, fill, least_pixels

    def __call__(self, frames: list[RawFrame], rng: np.random.Generator) -> list[RawFrame]:
        """Move all frames or none of them."""
        if rng.random() >= self.probability:
            return frames
        common, own = self.ranges.draw(rng), self.ranges.part(self.difference)
        moved = []
        for number, frame in enumerate(frames):
            matrix = common.matrix(size_of(frame))
            scale = common.scale
            if number and self.difference:
                further = own.draw(rng)
                matrix, scale = _after(further.matrix(size_of(frame)), matrix), scale * further.scale
            moved.append(moved_frame(frame, matrix, scale, self.fill, self.least_pixels))
        return moved


@TRANSFORMS.register_module()
class StillPairs:
    """Set stills in motion: a frame that a clip shows again is turned, shifted and scaled, each time by a new draw.

    A video of one frame, such as an image of COCO, is paired with itself: its reference becomes the same picture after
    an affine motion, with the same objects. Frames that differ already stay as they are, so videos and stills may be in
    one set. Arguments as of RandomAffine. Source of the idea: Zhou et al., Tracking Objects as Points (2020).
    """

    only_in_training = True

    def __init__(
        self,
        rotation: Annotated[float, Range(0, 180)] = 15.0,
        shift: Fraction = 0.1,
        scale: Annotated[tuple[Positive, Positive], Length(2)] = (0.8, 1.25),
        shear: Slant = 0.0,
        fill: Colour = MEAN_COLOUR,
        least_pixels: Natural = 16,
    ) -> None:
        self.ranges = MotionRange(rotation=rotation, shear=shear, scale=rising(scale, "StillPairs: scale"), shift=shift)
        self.fill, self.least_pixels = fill, least_pixels

    def __call__(self, frames: list[RawFrame], rng: np.random.Generator) -> list[RawFrame]:
        """Move the frames that are the same picture as an earlier one."""
        shown: set[int] = set()
        moved = []
        for frame in frames:
            again = frame.frame_index in shown
            shown.add(frame.frame_index)
            moved.append(self._moved(frame, self.ranges.draw(rng)) if again else frame)
        return moved

    def _moved(self, frame: RawFrame, motion: Motion) -> RawFrame:
        return moved_frame(frame, motion.matrix(size_of(frame)), motion.scale, self.fill, self.least_pixels)


def moved_frame(
    frame: RawFrame, matrix: NDArray[np.float64], scale: float, fill: tuple[int, int, int], least_pixels: int
) -> RawFrame:
    """Return a frame whose picture and masks are moved by a matrix (2, 3). Boxes are those of the masks."""
    height, width = size_of(frame)

    def warp(picture: np.ndarray, way: int, border: tuple[int, ...]) -> np.ndarray:
        return cv2.warpAffine(picture, matrix, (width, height), flags=way, borderValue=border)

    masks = np.zeros_like(frame.masks)
    for new, old in zip(masks, frame.masks, strict=True):
        new[:] = warp(np.ascontiguousarray(old), cv2.INTER_NEAREST, (0,))
    return replace(
        frame,
        image=warp(frame.image, cv2.INTER_LINEAR, fill),
        masks=masks,
        boxes=mask_boxes(masks, least_pixels),
        scale=frame.scale * scale,
    )


def mask_boxes(masks: np.ndarray, least_pixels: int) -> NDArray[np.float32]:
    """Return the boxes (N, 4) of masks (N, H, W); without area where fewer than `least_pixels` are set, or none."""
    boxes = np.zeros((len(masks), 4), np.float32)
    for box, mask in zip(boxes, masks, strict=True):
        if np.count_nonzero(mask) >= max(least_pixels, 1):
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            box[:] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return boxes


def size_of(frame: RawFrame) -> Size:
    """Return (height, width)."""
    return frame.image.shape[0], frame.image.shape[1]


def _after(second: NDArray[np.float64], first: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix of two motions, one after the other."""
    return second[:, :2] @ first + np.column_stack([np.zeros((2, 2)), second[:, 2]])


def rising(ends: tuple[float, float], name: str) -> tuple[float, float]:
    """Return (low, high). Raises UserError that names the option if they fall."""
    low, high = ends
    if low > high:
        raise UserError(f"{name} is {ends}, expected (low, high)")
    return low, high
