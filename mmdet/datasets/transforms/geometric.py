"""Geometric transforms of the frames of one clip, with their boxes and masks. Each draws once per clip.

A transform is a callable `(frames, rng) -> frames` that keeps every row of boxes and masks. An object that is no longer
in the picture gets a box without area, and the data set leaves it out. Normalising and padding come later. Two
attributes tell more of it: `reads_masks = False`, its boxes and draws do not depend on masks (otherwise the masks of
references are decoded for it); `only_in_training = True`, a test set refuses it. Source: MODEL.md 9.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from mmdet.config.ranges import Count, Fraction
from mmdet.errors import UserError
from mmdet.registry import TRANSFORMS
from mmdet.structures import Size
from mmdet.structures.short_text import ShortText


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RawFrame(ShortText):
    """A frame before it becomes tensors. Boxes are half-open xyxy in the pixels of `image`."""

    image: np.ndarray  # (H, W, 3) uint8 RGB
    boxes: np.ndarray  # (N, 4) float32
    masks: np.ndarray  # (N, H, W) uint8, 0 or 1; (0, H, W) if its masks are not needed
    scale: float  # nominal factor from original to current pixels
    original_size: Size
    frame_index: int = 0  # in its video: equal in frames that are the same picture
    is_crowd: np.ndarray | None = None  # (N,) bool; None: no row is a crowd
    labels: np.ndarray | None = None  # (N,) int64, 0-based; None where the rows are not known, as in testing
    instance_ids: np.ndarray | None = None  # (N,) int64, likewise
    allocate: Callable[[tuple[int, ...]], np.ndarray] | None = None  # memory for resized images; None: cv2's own


Transform = Callable[[list[RawFrame], np.random.Generator], list[RawFrame]]
Edge = Count | tuple[Count, Count]


@TRANSFORMS.register_module()
class ResizeKeepRatio:
    """Resize to the largest size within a long and a short edge, keeping the aspect ratio.

    Each edge, in pixels, is fixed or drawn from an inclusive range, independently of the other: `(640, 960)`. Images
    are resized bilinearly, masks take the nearest pixel, boxes are clipped to the image. As in the published recipe
    (MODEL.md 9) "nearest" is cv2's, which matches corners: masks lie up to half a pixel to the right of and below
    images and boxes, and small ones may vanish. With `aligned_masks` pixel centres are matched and no mask vanishes.
    """

    reads_masks = False

    def __init__(self, long_edge: Edge, short_edge: Edge, aligned_masks: bool = False) -> None:
        self.long_edge = _edge_range(long_edge, "long_edge")
        self.short_edge = _edge_range(short_edge, "short_edge")
        self.aligned_masks = aligned_masks

    @property
    def only_in_training(self) -> bool:
        """Whether sizes are drawn."""
        return any(low != high for low, high in (self.long_edge, self.short_edge))

    def __call__(self, frames: list[RawFrame], rng: np.random.Generator) -> list[RawFrame]:
        """Resize all frames to fit within the same two edges."""
        long_edge = int(rng.integers(*self.long_edge, endpoint=True))
        short_edge = int(rng.integers(*self.short_edge, endpoint=True))
        return [_resize(frame, long_edge, short_edge, self.aligned_masks) for frame in frames]


@TRANSFORMS.register_module()
class RandomFlip:
    """Mirror all frames of a clip left to right with a probability."""

    reads_masks = False
    only_in_training = True

    def __init__(self, probability: Fraction = 0.5) -> None:
        if not 0 <= probability <= 1:
            raise UserError(f"RandomFlip: probability is {probability}, expected 0 to 1")
        self.probability = probability

    def __call__(self, frames: list[RawFrame], rng: np.random.Generator) -> list[RawFrame]:
        """Mirror all frames or none of them."""
        return [_flip(frame) for frame in frames] if rng.random() < self.probability else frames


def _edge_range(edge: Edge, name: str) -> tuple[int, int]:
    low, high = (edge, edge) if isinstance(edge, int) else edge
    if not 0 < low <= high:
        raise UserError(f"ResizeKeepRatio: {name} is {edge}, expected a positive number of pixels or (low, high)")
    return low, high


def _resize(frame: RawFrame, long_edge: int, short_edge: int, aligned_masks: bool) -> RawFrame:
    height, width = frame.image.shape[:2]
    return resized(frame, min(long_edge / max(height, width), short_edge / min(height, width)), aligned_masks)


def resized(frame: RawFrame, factor: float, aligned_masks: bool) -> RawFrame:
    """Return a frame resized by a factor, with its sides rounded to whole pixels, at least one."""
    height, width = frame.image.shape[:2]
    new_height, new_width = (max(int(side * factor + 0.5), 1) for side in (height, width))
    limits = np.array([new_width, new_height, new_width, new_height], np.float32)
    room = None if frame.allocate is None else frame.allocate((new_height, new_width, frame.image.shape[2]))
    return replace(
        frame,
        image=cv2.resize(frame.image, (new_width, new_height), dst=room, interpolation=cv2.INTER_LINEAR),
        boxes=np.clip(frame.boxes * np.float32(factor), 0, limits),
        masks=_resize_masks(frame.masks, (new_height, new_width), aligned_masks),
        scale=frame.scale * factor,
    )


def _resize_masks(masks: np.ndarray, size: Size, aligned: bool) -> np.ndarray:
    """Resize masks (N, H, W) to the nearest pixels, as cv2.resize does. Only the area of each mask is computed.

    If `aligned`, a mask that lies between all sampled pixels keeps the pixel at its middle.
    """
    resized = np.zeros((len(masks), *size), np.uint8)
    if len(masks) == 0:
        return resized
    rows, columns = (_nearest(old, new, aligned) for old, new in zip(masks.shape[1:], size, strict=True))
    for out, mask in zip(resized, masks, strict=True):
        top, bottom = _extent(mask.max(axis=1))
        left, right = _extent(mask[top:bottom].max(axis=0, initial=0))
        new_rows = slice(*np.searchsorted(rows, (top, bottom)))
        new_columns = slice(*np.searchsorted(columns, (left, right)))
        out[new_rows, new_columns] = mask[rows[new_rows], left:right][:, columns[new_columns] - left]
        if aligned and bottom > top and not out[new_rows, new_columns].any():
            middle = np.argwhere(mask).mean(axis=0) + 0.5
            out[tuple((middle * size / mask.shape).astype(np.intp))] = 1
    return resized


def _extent(line: np.ndarray) -> tuple[int, int]:
    """Return where nonzero values begin and end, (0, 0) if there are none."""
    places = np.flatnonzero(line)
    return (int(places[0]), int(places[-1]) + 1) if len(places) else (0, 0)


def _nearest(old: int, new: int, aligned: bool) -> np.ndarray:
    """Return for each pixel of a resized side the source pixel that cv2 takes, with cv2's own rounding."""
    places = np.arange(old, dtype=np.float32)[None]  # exact up to 2**24 pixels
    way = cv2.INTER_NEAREST_EXACT if aligned else cv2.INTER_NEAREST
    return cv2.resize(places, (new, 1), interpolation=way)[0].astype(np.intp)


def _flip(frame: RawFrame) -> RawFrame:
    boxes = frame.boxes.copy()
    boxes[:, [0, 2]] = frame.image.shape[1] - frame.boxes[:, [2, 0]]
    masks = np.empty_like(frame.masks, order="C")
    for flipped, mask in zip(masks, frame.masks, strict=True):
        cv2.flip(mask, 1, dst=flipped)
    return replace(frame, image=cv2.flip(frame.image, 1), boxes=boxes, masks=masks)
