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
HATCH_OPACITY = 0.5
LEAST_STRIPE_PX, STRIPES_PER_SIDE = 5, 96  # width of a stripe, and how many fit along the picture's shorter side
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
    """Tint the masks, each pixel by the topmost object, and hatch those of regions."""
    painted = picture.copy()
    for layer in layers:
        if layer.area:
            plain = np.empty((*layer.mask.shape, 3), np.uint8)
            cv2.rectangle(plain, (0, 0), layer.mask.shape[::-1], layer.item.color, cv2.FILLED)
            cv2.copyTo(plain, layer.mask, painted[layer.rows_columns])
    cv2.addWeighted(picture, 1 - FILL_OPACITY, painted, FILL_OPACITY, 0, dst=picture)
    for layer in layers:
        if layer.item.hatched and layer.area:
            _hatch(picture, layer, max(LEAST_STRIPE_PX, min(picture.shape[:2]) // STRIPES_PER_SIDE))


def _hatch(picture: Picture, layer: Layer, stripe_px: int) -> None:
    """Draw diagonal stripes over a mask, as wide as the gaps between them."""
    x1, y1, x2, y2 = layer.place
    ys, xs = np.ogrid[y1:y2, x1:x2]
    stripes = layer.mask * ((ys + xs) // stripe_px % 2 == 0).astype(np.uint8)
    part = picture[layer.rows_columns]
    mixed = cv2.addWeighted(part, 1 - HATCH_OPACITY, np.full_like(part, layer.item.color), HATCH_OPACITY, 0)
    cv2.copyTo(mixed, stripes, part)


def _layer(item: DrawnObject) -> Layer:
    rows = np.flatnonzero(item.mask.any(axis=1))
    if not len(rows):
        return Layer(item=item, place=(0, 0, 0, 0), mask=np.zeros((0, 0), np.uint8), area=0)
    y1, y2 = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(item.mask[y1:y2].any(axis=0))
    x1, x2 = int(columns[0]), int(columns[-1]) + 1
    mask = np.ascontiguousarray(item.mask[y1:y2, x1:x2]).view(np.uint8)
    return Layer(item=item, place=(x1, y1, x2, y2), mask=mask, area=cv2.countNonZero(mask))
