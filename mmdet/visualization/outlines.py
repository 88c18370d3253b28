"""Lines over a picture: outlines of masks, boxes, trails and the uncertainty of boxes.

Every line has a halo, dark and then white, so that it is seen on any ground, its own colour included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdet.structures import Box
from mmdet.visualization.colors import Color
from mmdet.visualization.layers import Layer
from mmdet.visualization.scene import Picture, Rectangle

DARK: Color = (20, 20, 20)
WHITE: Color = (255, 255, 255)
FARTHEST_PX = 2**20  # farthest distance of a box from the picture: cv2 uses 32-bit coordinates
_SMOOTHING_PX = 0.8  # how far a drawn outline may lie beside the pixels of its mask
_DASH_WIDTHS = 5  # length of a dash and of the gap behind it, in widths of the line
_FRACTION_BITS = 4  # cv2 draws at sixteenths of a pixel
Line = NDArray[np.float32]  # (N, 2) x, y in pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Pen:
    """Widths in pixels of a line and of each ring of its halo."""

    line: int
    halo: int

    @staticmethod
    def of(unit: float, factor: float = 1.0) -> Pen:
        """Return the pen of a picture; `unit` is 1 where a line of 2 px suits."""
        return Pen(line=max(1, round(2 * unit * factor)), halo=max(1, round(0.6 * unit)))


def draw_outline(picture: Picture, layer: Layer, pen: Pen, dashed: bool = False) -> None:
    """Draw the outline of a mask, dashed where it belongs to an object that others hide."""
    contours, _ = cv2.findContours(layer.mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    x, y = layer.place[:2]
    lines = [np.asarray(cv2.approxPolyDP(c, _SMOOTHING_PX, True)[:, 0] + (x, y), np.float32) for c in contours]
    if dashed:
        _stroke(
            picture, [dash for line in lines for dash in dashes(line, _DASH_WIDTHS * pen.line)], layer.item.color, pen
        )
    else:
        _stroke(picture, lines, layer.item.color, pen, closed=True)


def draw_box(picture: Picture, box: Box, color: Color, pen: Pen) -> None:
    """Draw a rectangle as far as it lies in the picture."""
    x1, y1, x2, y2 = whole(box)
    corners = np.array([(x1, y1), (x2 - 1, y1), (x2 - 1, y2 - 1), (x1, y2 - 1)], np.float32)
    _stroke(picture, [corners], color, pen, closed=True)


def draw_trail(picture: Picture, points: Sequence[tuple[float, float]], color: Color, pen: Pen) -> None:
    """Draw where an object was, from thin to wide, with a dot where it is."""
    if len(points) < 2:
        return
    line = np.clip(np.array(points, np.float32), -FARTHEST_PX, FARTHEST_PX)
    _stroke(picture, [line], color, pen)
    center = (round(float(line[-1, 0])), round(float(line[-1, 1])))
    cv2.circle(picture, center, 2 * pen.line + pen.halo, DARK, cv2.FILLED, cv2.LINE_AA)
    cv2.circle(picture, center, 2 * pen.line, color, cv2.FILLED, cv2.LINE_AA)


def draw_sigma(picture: Picture, box: Box, sigma: Sequence[float], color: Color, pen: Pen) -> None:
    """Draw at the middle of each side of a box how uncertain it is: one standard deviation to either side."""
    x1, y1, x2, y2 = box
    middle_x, middle_y = (x1 + x2) / 2, (y1 + y2) / 2
    ends = [
        ((x1 - sigma[0], middle_y), (x1 + sigma[0], middle_y)),
        ((middle_x, y1 - sigma[1]), (middle_x, y1 + sigma[1])),
        ((x2 - sigma[2], middle_y), (x2 + sigma[2], middle_y)),
        ((middle_x, y2 - sigma[3]), (middle_x, y2 + sigma[3])),
    ]
    lines = [np.clip(np.array(pair, np.float32), -FARTHEST_PX, FARTHEST_PX) for pair in ends]
    _stroke(picture, lines, color, pen)


def whole(box: Box) -> Rectangle:
    """Round a box to whole pixels, within what cv2 can draw."""
    x1, y1, x2, y2 = (round(max(-FARTHEST_PX, min(side, FARTHEST_PX))) for side in box)
    return x1, y1, x2, y2


def dashes(line: Line, length: float) -> list[Line]:
    """Cut a closed line into dashes of `length` pixels with gaps of the same length between them."""
    closed = np.concatenate([line, line[:1]])
    steps = np.hypot(*np.diff(closed, axis=0).T)
    along = np.concatenate([[0], np.cumsum(steps)])
    count = max(1, round(along[-1] / (2 * length)))
    period = along[-1] / count
    cut = []
    for start in np.arange(count) * period:
        end = start + period / 2
        inner = along[(along > start) & (along < end)]
        at = np.concatenate([[start], inner, [end]])
        cut.append(np.stack([np.interp(at, along, closed[:, axis]) for axis in (0, 1)], axis=1).astype(np.float32))
    return cut


def _stroke(picture: Picture, lines: Sequence[Line], color: Color, pen: Pen, closed: bool = False) -> None:
    """Draw lines, halo first."""
    fixed = [np.round(line * 2**_FRACTION_BITS).astype(np.int32) for line in lines]
    for width, ring in ((pen.line + 4 * pen.halo, WHITE), (pen.line + 2 * pen.halo, DARK), (pen.line, color)):
        cv2.polylines(picture, fixed, closed, ring, width, cv2.LINE_AA, _FRACTION_BITS)
