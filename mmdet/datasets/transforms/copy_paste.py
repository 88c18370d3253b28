"""Paste objects of another video into the frames of a clip. They keep their own motion, and hide what they cover.

Source: Ghiasi et al., Simple Copy-Paste is a Strong Data Augmentation Method for Instance Segmentation (CVPR 2021).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdet.config.ranges import Count, Fraction, Length, Natural, Positive
from mmdet.datasets.transforms.geometric import RawFrame
from mmdet.errors import UserError
from mmdet.registry import TRANSFORMS

LARGEST_SHIFT = 0.3  # of the pasted objects, as a fraction of the frame's sides
Matrix = NDArray[np.float32]


@TRANSFORMS.register_module()
class CopyPaste:
    """With a `probability` paste 1 to `most` objects of another pair of the data set, drawn for every pair.

    Scaled by a factor drawn from `scale`, mirrored half of the time, and shifted; alike in both frames. An object with
    fewer visible pixels than `least_pixels` counts as hidden. Put it before the other transforms: they then treat what
    is pasted as they treat the rest. Crowd regions are neither pasted nor changed.
    """

    only_in_training = True

    def __init__(
        self,
        probability: Fraction = 0.5,
        most: Count = 3,
        scale: Annotated[tuple[Positive, Positive], Length(2)] = (0.6, 1.4),
        least_pixels: Natural = 16,
    ) -> None:
        if scale[0] > scale[1]:
            raise UserError(f"CopyPaste: scale is {scale}, expected (low, high)")
        self.probability, self.most, self.scale, self.least_pixels = probability, most, scale, least_pixels

    def __call__(self, frames: list[RawFrame], rng: np.random.Generator) -> list[RawFrame]:
        """Raise UserError: only a data set that can draw other pairs can use this transform."""
        raise UserError("CopyPaste needs other videos: use it in the transforms of a data set for training")

    def paste(
        self,
        frames: list[RawFrame],
        draw_other: Callable[[np.random.Generator], list[RawFrame]],
        rng: np.random.Generator,
    ) -> list[RawFrame]:
        """Return the frames of a pair with objects of another pair, which `draw_other` gives, pasted or not."""
        if rng.random() >= self.probability:
            return frames
        others = draw_other(rng)
        own = set(_ids(frames))
        candidates = [number for number in _ids(others) if number not in own]
        count = int(rng.integers(1, self.most, endpoint=True))
        chosen = rng.permutation(candidates)[:count] if candidates else np.zeros(0, np.int64)
        factor, flipped = float(rng.uniform(*self.scale)), bool(rng.random() < 0.5)
        shift = rng.uniform(-LARGEST_SHIFT, LARGEST_SHIFT, 2)
        pasted = []
        for frame, other in zip(frames, others, strict=True):
            move = _movement(other.image.shape[:2], frame.image.shape[:2], factor, flipped, shift)
            pasted.append(self._paste(frame, other, np.isin(_known(other.instance_ids), chosen), move))
        return pasted

    def _paste(self, frame: RawFrame, other: RawFrame, chosen: NDArray[np.bool_], move: Matrix) -> RawFrame:
        size = frame.image.shape[1::-1]  # width, height
        masks = [cv2.warpAffine(mask, move, size, flags=cv2.INTER_NEAREST) for mask in other.masks[chosen]]
        shown = np.array([np.count_nonzero(mask) >= max(self.least_pixels, 1) for mask in masks], bool)
        if not shown.any():
            return frame
        new = np.stack(masks)[shown]
        over = new.any(axis=0)
        image = cv2.warpAffine(other.image, move, size, flags=cv2.INTER_LINEAR)
        kept = _crowds(frame)[:, None, None] | ~over
        old = frame.masks * kept
        return replace(
            frame,
            image=_blended(frame.image, image, over),
            masks=np.concatenate([old, new]),
            boxes=np.concatenate([self._left_boxes(frame, old), [self._box(mask) for mask in new]], dtype=np.float32),
            is_crowd=np.concatenate([_crowds(frame), np.zeros(len(new), bool)]),
            labels=np.concatenate([_known(frame.labels), _known(other.labels)[chosen][shown]]),
            instance_ids=np.concatenate([_known(frame.instance_ids), _known(other.instance_ids)[chosen][shown]]),
        )

    def _left_boxes(self, frame: RawFrame, masks: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the boxes (N, 4) of the objects that were there: what is covered in part gets that of the rest."""
        boxes = frame.boxes.copy()
        for row in np.flatnonzero((masks != frame.masks).any(axis=(1, 2))):
            boxes[row] = self._box(masks[row])
        return boxes

    def _box(self, mask: NDArray[np.uint8]) -> tuple[float, float, float, float]:
        """Return the box of a mask; one without area if the object counts as hidden."""
        if np.count_nonzero(mask) < max(self.least_pixels, 1):
            return (0.0, 0.0, 0.0, 0.0)
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _ids(frames: Sequence[RawFrame]) -> list[int]:
    """Return the ids of the objects that any frame shows, crowds left out."""
    return sorted({int(i) for frame in frames for i in _known(frame.instance_ids)[~_crowds(frame)]})


def _crowds(frame: RawFrame) -> NDArray[np.bool_]:
    """Return (N,): which rows are crowds."""
    return np.zeros(len(frame.boxes), bool) if frame.is_crowd is None else frame.is_crowd


def _known(values: np.ndarray | None) -> np.ndarray:
    return np.zeros(0, np.int64) if values is None else values


def _movement(old: Sequence[int], new: Sequence[int], factor: float, flipped: bool, shift: np.ndarray) -> Matrix:
    """Return the affine matrix (2, 3) that fits a frame into another, scales it about the middle, mirrors and shifts.

    `old`, `new`: (height, width); `shift`: fractions (x, y) of the new sides
    """
    down = factor * min(new[0] / old[0], new[1] / old[1])
    across = -down if flipped else down
    scale = np.array([across, down])
    # from middle to middle; OpenCV's whole numbers are middles of pixels
    x, y = (0.5 + shift) * (new[1], new[0]) - scale * (old[1] - 1, old[0] - 1) / 2 - 0.5
    return np.array([[across, 0, x], [0, down, y]], np.float32)


def _blended(below: np.ndarray, above: np.ndarray, over: NDArray[np.bool_]) -> np.ndarray:
    """Put `above` over `below` where `over` is set, with a border half a pixel soft."""
    soft = cv2.GaussianBlur(over.astype(np.float32), (3, 3), 0) * over
    return (below + (above.astype(np.float32) - below) * soft[..., None]).round().astype(np.uint8)
