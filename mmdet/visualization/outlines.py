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
BAND_OPACITY = 0.15
FARTHEST_PX = 2**20  # farthest distance of a box from the picture: cv2 uses 32-bit coordinates
_MOST_CONTOURS = 500  # of one mask that are drawn, the longest: noise has ten thousands
_FRACTION_BITS = 4  # cv2 draws at sixteenths of a pixel
Line = NDArray[np.float32]  # (N, 2) x, y in pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Pen:
    """Widths in pixels of a line and of each ring of its halo."""

    line: int
    halo: int
    smoothing: float = 0.8  # how far, in pixels, an outline may lie beside the pixels of its mask

    @property
    def dash(self) -> int:
        """Length of a dash and of the gap behind it, so that the halo leaves most of the gap open."""
        return 4 * self.line + 6 * self.halo

    @staticmethod
    def of(unit: float, factor: float = 1.0) -> Pen:
        """Return the pen of a picture; `unit` is 1 where a line of 2 px suits."""
        smoothing = max(0.8, 0.5 * unit)
        return Pen(line=max(2, round(2 * unit * factor)), halo=max(1, round(0.6 * unit)), smoothing=smoothing)


def draw_outline(picture: Picture, layer: Layer, pen: Pen, dashed: bool = False) -> None:
    """Draw the outline of a mask, dashed where it belongs to an object that others hide."""
    contours, _ = cv2.findContours(layer.mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    contours = sorted(contours, key=len)[-_MOST_CONTOURS:]
    x, y = layer.place[:2]
    lines = [np.asarray(cv2.approxPolyDP(c, pen.smoothing, True)[:, 0] + (x, y), np.float32) for c in contours]
    if dashed:
        _stroke(picture, [dash for line in lines for dash in dashes(line, pen.dash)], layer.item.color, pen)
    else:
        _stroke(picture, lines, layer.item.color, pen, closed=True)


def draw_box(picture: Picture, box: Box, color: Color, pen: Pen) -> None:
    """Draw a rectangle as far as it lies in the picture."""
    _stroke(picture, [_corners(whole(box))], color, pen, closed=True)


def draw_trail(picture: Picture, points: Sequence[tuple[float, float]], color: Color, pen: Pen) -> None:
    """Draw a line along where an object was, with a dot where it is."""
    if len(points) < 2:
        return
    line = np.clip(np.array(points, np.float32), -FARTHEST_PX, FARTHEST_PX)
    _stroke(picture, [line], color, pen)
    center = (round(float(line[-1, 0])), round(float(line[-1, 1])))
    cv2.circle(picture, center, 2 * pen.line + pen.halo, DARK, cv2.FILLED, cv2.LINE_AA)
    cv2.circle(picture, center, 2 * pen.line, color, cv2.FILLED, cv2.LINE_AA)


def draw_sigma(picture: Picture, box: Box, sigma: Sequence[float], color: Color, pen: Pen) -> None:
    """Tint the band in which the sides of a box lie: one standard deviation to either side of each."""
    height, width = picture.shape[:2]
    outer = whole((box[0] - sigma[0], box[1] - sigma[1], box[2] + sigma[2], box[3] + sigma[3]))
    inner = whole((box[0] + sigma[0], box[1] + sigma[1], box[2] - sigma[2], box[3] - sigma[3]))
    x1, y1, x2, y2 = max(outer[0], 0), max(outer[1], 0), min(outer[2], width), min(outer[3], height)
    if x1 >= x2 or y1 >= y2:
        return
    part = picture[y1:y2, x1:x2]
    tinted = cv2.addWeighted(part, 1 - BAND_OPACITY, np.full_like(part, color), BAND_OPACITY, 0)
    band = np.ones(part.shape[:2], np.uint8)
    if inner[0] < inner[2] and inner[1] < inner[3]:
        band[max(inner[1] - y1, 0) : max(inner[3] - y1, 0), max(inner[0] - x1, 0) : max(inner[2] - x1, 0)] = 0
    cv2.copyTo(tinted, band, part)
    far = 4 * pen.dash  # dashes farther outside are not seen
    edge = max(outer[0], -far), max(outer[1], -far), min(outer[2], width + far), min(outer[3], height + far)
    _stroke(picture, dashes(_corners(edge), pen.dash), color, pen)


def whole(box: Box) -> Rectangle:
    """Round a box to whole pixels, within what cv2 can draw."""
    x1, y1, x2, y2 = (round(max(-FARTHEST_PX, min(side, FARTHEST_PX))) for side in box)
    return x1, y1, x2, y2


def _corners(box: Rectangle) -> Line:
    x1, y1, x2, y2 = box
    return np.array([(x1, y1), (x2 - 1, y1), (x2 - 1, y2 - 1), (x1, y2 - 1)], np.float32)


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
