"""Large-scale jitter: scale a clip by much, then cut or pad it to a fixed size.

Source: Ghiasi et al., Simple Copy-Paste is a Strong Data Augmentation Method for Instance Segmentation (CVPR 2021).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np

from mmdet.config.ranges import Count, Length, Natural, Positive
from mmdet.datasets.transforms.affine import MEAN_COLOUR, Colour, mask_boxes, rising
from mmdet.datasets.transforms.geometric import RawFrame, resized
from mmdet.registry import TRANSFORMS
from mmdet.structures import Size


@TRANSFORMS.register_module()
class LargeScaleJitter:
    """Scale all frames of a clip by a factor, then cut a window of a fixed `size` out of them, or pad them to it.

    `size`: (height, width) of all clips. Clips are scaled to fit into it, times a factor drawn uniformly from `scale`;
    the window is drawn too. Frames keep their proportions. Padding is at the bottom and right, in the colour `fill`.
    An object with fewer pixels than `least_pixels` counts as hidden, and one that the window cuts gets the box of what
    is left of its mask. It takes the place of ResizeKeepRatio; masks lie where images do (`aligned_masks`).
    """

    only_in_training = True

    def __init__(
        self,
        size: Annotated[tuple[Count, Count], Length(2)],
        scale: Annotated[tuple[Positive, Positive], Length(2)] = (0.1, 2.0),
        fill: Colour = MEAN_COLOUR,
        least_pixels: Natural = 16,
    ) -> None:
        height, width = size
        self.size, self.scale = (height, width), rising(scale, "LargeScaleJitter: scale")
        self.fill, self.least_pixels = fill, least_pixels

    def __call__(self, frames: list[RawFrame], rng: np.random.Generator) -> list[RawFrame]:
        """Scale and cut all frames alike."""
        factor, place = float(rng.uniform(*self.scale)), rng.random(2)
        return [self._jittered(frame, factor, place) for frame in frames]

    def _jittered(self, frame: RawFrame, factor: float, place: np.ndarray) -> RawFrame:
        height, width = frame.image.shape[:2]
        frame = resized(frame, factor * min(self.size[0] / height, self.size[1] / width), aligned_masks=True)
        room = np.maximum(np.array(frame.image.shape[:2]) - self.size, 0)
        top, left = np.floor(place * (room + 1)).astype(int).tolist()
        return _windowed(frame, (top, left), self.size, self.fill, self.least_pixels)


def _windowed(
    frame: RawFrame, corner: tuple[int, int], size: Size, fill: tuple[int, int, int], least_pixels: int
) -> RawFrame:
    """Return the part of a frame from a corner (y, x) on, padded to a size."""
    (top, left), (height, width) = corner, size
    part = frame.image[top : top + height, left : left + width]
    inside = (slice(part.shape[0]), slice(part.shape[1]))
    image = np.full((*size, 3), fill, np.uint8)
    image[inside] = part
    masks = np.zeros((len(frame.masks), *size), np.uint8)
    masks[(slice(None), *inside)] = frame.masks[:, top : top + height, left : left + width]
    boxes = mask_boxes(masks, least_pixels)
    moved = frame.boxes - np.array([left, top, left, top], np.float32)
    whole = np.all(moved >= 0, axis=1) & np.all(moved[:, 2:] <= np.array([width, height]), axis=1)
    kept = whole & np.all(boxes[:, 2:] > boxes[:, :2], axis=1)
    boxes[kept] = moved[kept]
    return replace(frame, image=image, masks=masks, boxes=boxes)
