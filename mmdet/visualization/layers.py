"""The order of objects in a picture, and what of each of them is seen.

One rule: of two objects the one with the better score lies above; where scores are alike, which is to say round to the
same tenth, the smaller one does. So no large mask covers a better one, and a small object is seen in front of a large
one. A pixel has the colour of the topmost object alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdet.visualization.scene import DrawnObject, Picture, Rectangle

FILL_OPACITY = 0.22
HIDDEN_SHARE = 0.6  # of a mask that lies below better ones: its outline is dashed


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One object in the order of drawing, with its mask cut to where it is. Outside of the frame: an empty mask."""

    item: DrawnObject
    place: Rectangle  # of the mask in the picture
    mask: NDArray[np.uint8]  # 0 or 1, of the place's size
    area: int

    @property
    def rows_columns(self) -> tuple[slice, slice]:
        """The index of the place in arrays of the picture's size."""
        x1, y1, x2, y2 = self.place
        return slice(y1, y2), slice(x1, x2)


def in_order(objects: Sequence[DrawnObject]) -> list[Layer]:
    """Return the objects from the lowest to the topmost; of equal ones the first is the topmost."""
    layers = [_layer(item) for item in reversed(objects)]
    return sorted(layers, key=lambda layer: (round(layer.item.score, 1), -layer.area))


def hidden_shares(layers: Sequence[Layer], size: tuple[int, int]) -> list[float]:
    """Return for each of the ordered layers which share of its mask lies below others."""
    above = np.zeros(size, np.uint8)
    shares = []
    for layer in reversed(layers):
        part = above[layer.rows_columns]
        covered = cv2.countNonZero(cv2.bitwise_and(part, layer.mask)) if layer.area else 0
        shares.append(covered / max(layer.area, 1))
        np.maximum(part, layer.mask, out=part)
    return shares[::-1]


def fill(picture: Picture, layers: Sequence[Layer]) -> None:
    """Tint the masks: each pixel by the topmost object."""
    original = picture.copy()
    values = np.arange(256)
    for layer in layers:
        if not layer.area:
            continue
        color = np.array(layer.item.color)
        table = ((1 - FILL_OPACITY) * values[:, None] + FILL_OPACITY * color).round().astype(np.uint8)[:, None]
        cv2.copyTo(cv2.LUT(original[layer.rows_columns], table), layer.mask, picture[layer.rows_columns])


def _layer(item: DrawnObject) -> Layer:
    whole = np.ascontiguousarray(item.mask).view(np.uint8)
    x, y, width, height = cv2.boundingRect(whole)
    mask = np.ascontiguousarray(whole[y : y + height, x : x + width])
    area = cv2.countNonZero(mask) if width else 0
    return Layer(item=item, place=(x, y, x + width, y + height), mask=mask, area=area)
