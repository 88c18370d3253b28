"""Crop and scale every frame of a clip independently, so that a still image becomes a pair of different frames.

For pseudo-videos of one frame, whose key and reference are the same picture; the other transforms draw once per clip.
The idea of learning to track from still images: Zhou et al., Tracking Objects as Points (2020).
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from mmdet.config.ranges import Factor
from mmdet.datasets.transforms.geometric import RawFrame
from mmdet.errors import UserError
from mmdet.registry import TRANSFORMS

Window = tuple[int, int, int, int]  # half-open xyxy, whole pixels


@TRANSFORMS.register_module()
class IndependentCrop:
    """Cut a window of the frame's shape out of each frame and enlarge it to the frame's size.

    A window's sides are `fraction` of the frame's: a number, or an inclusive range to draw from per frame. Every window
    shows a part of an object that is not a crowd, if the frame has one; copies of one frame share that object. Boxes
    are clipped to the window; the box of an object that the window cuts is the box of what is left of its mask.
    """

    only_in_training = True

    def __init__(self, fraction: Factor | tuple[Factor, Factor] = (0.5, 1.0)) -> None:
        low, high = (fraction, fraction) if isinstance(fraction, int | float) else fraction
        if not 0 < low <= high <= 1:
            raise UserError(f"IndependentCrop: fraction is {fraction}, expected a number above 0 to 1, or (low, high)")
        self.fraction = (low, high)

    def __call__(self, frames: list[RawFrame], rng: np.random.Generator) -> list[RawFrame]:
        """Crop every frame and enlarge it to its old size."""
        choice = rng.random()  # chooses the object, one number per clip
        return [_crop(frame, self._window(frame, choice, rng)) for frame in frames]

    def _window(self, frame: RawFrame, choice: float, rng: np.random.Generator) -> Window:
        """Draw a window that contains a pixel of the chosen object, or any window if there is no object."""
        sides = frame.image.shape[1::-1]  # width, height
        fraction = rng.uniform(*self.fraction)
        pixel = _pixel_to_show(frame, choice, rng)
        starts, ends = [], []
        for side, place in zip(sides, pixel or (None, None), strict=True):
            length = max(round(side * fraction), 1)
            first = 0 if place is None else max(place - length + 1, 0)
            last = side - length if place is None else min(place, side - length)
            start = int(rng.integers(first, last, endpoint=True))
            starts.append(start)
            ends.append(start + length)
        return starts[0], starts[1], ends[0], ends[1]


def _pixel_to_show(frame: RawFrame, choice: float, rng: np.random.Generator) -> tuple[int, int] | None:
    """Draw a pixel (x, y) of an object: the one at the fraction `choice` of all that are not crowds.

    None if there are none.
    """
    shown = frame.masks.any(axis=(1, 2))
    if frame.is_crowd is not None:
        shown &= ~frame.is_crowd
    rows = np.flatnonzero(shown)
    if not len(rows):
        return None
    ys, xs = np.nonzero(frame.masks[rows[int(choice * len(rows))]])
    index = int(rng.integers(len(xs)))
    return int(xs[index]), int(ys[index])


def _crop(frame: RawFrame, window: Window) -> RawFrame:
    x1, y1, x2, y2 = window
    height, width = frame.image.shape[:2]
    cut_masks = frame.masks[:, y1:y2, x1:x2]
    masks = np.zeros_like(frame.masks)
    for enlarged, mask in zip(masks, cut_masks, strict=True):
        cv2.resize(np.ascontiguousarray(mask), (width, height), dst=enlarged, interpolation=cv2.INTER_NEAREST)
    boxes = np.array(
        [_cut_box(box, mask, window) for box, mask in zip(frame.boxes, cut_masks, strict=True)], np.float32
    ).reshape(-1, 4)
    factors = np.array([width / (x2 - x1), height / (y2 - y1)] * 2, np.float32)
    return replace(
        frame,
        image=cv2.resize(frame.image[y1:y2, x1:x2], (width, height), interpolation=cv2.INTER_LINEAR),
        boxes=np.minimum(boxes * factors, np.array([width, height] * 2, np.float32)),
        masks=masks,
        scale=frame.scale * height / (y2 - y1),
    )


def _cut_box(box: np.ndarray, mask: np.ndarray, window: Window) -> np.ndarray:
    """Return a box in the pixels of a window. If the window cuts it, it is the box of the mask's part in the window."""
    x1, y1, x2, y2 = window
    if box[0] >= x1 and box[1] >= y1 and box[2] <= x2 and box[3] <= y2:
        return box - np.array([x1, y1, x1, y1], np.float32)
    xs, ys = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not len(xs):
        return np.zeros(4, np.float32)
    return np.array([xs[0], ys[0], xs[-1] + 1, ys[-1] + 1], np.float32)
