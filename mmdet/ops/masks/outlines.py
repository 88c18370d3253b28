"""Trace masks: the polygons along the edges of their pixels, of which `to_rle` makes the same masks again."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_LEAST_SHARE = 0.05  # of the side of a square of a part's area: so far its outline may lie beside it
Outline = NDArray[np.float64]  # (P, 2): x, y of the corners, in pixels


def trace(mask: NDArray[np.bool_], tolerance: float = 0.0) -> tuple[list[Outline], int]:
    """Return the outer outline of every part of a mask (H, W), the largest first, and the number of its holes.

    Corners lie on the corners of pixels, so a pixel at x, y is the square from x, y to x + 1, y + 1. With a tolerance
    an outline may lie so many pixels beside the mask, of a small part fewer, and has fewer corners. Holes are not in
    the outlines.
    """
    # of pixels doubled in size, no two sides of a part share a pixel; each rounds to the corner of one pixel
    doubled = cv2.resize(mask.astype(np.uint8), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    contours, hierarchy = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return [], 0
    is_hole = hierarchy[0, :, 3] >= 0
    outer = [contour for contour, hole in zip(contours, is_hole, strict=True) if not hole]
    outlines = [_corners((contour[:, 0] + 1) // 2) for contour in outer]
    simple = [_simplified(outline, tolerance) if tolerance else outline for outline in outlines]
    ordered = sorted(simple, key=lambda outline: -cv2.contourArea(outline.astype(np.float32)))
    return ordered, int(is_hole.sum())


def _corners(points: NDArray[Any]) -> Outline:
    """Return the points of a closed line at which it turns."""
    points = points[np.any(points != np.roll(points, 1, axis=0), axis=1)]
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    back = (before * after).sum(axis=1) < 0  # a line of no width turns round
    return points[turns | back].astype(np.float64)


def _simplified(outline: Outline, tolerance: float) -> Outline:
    line = outline.astype(np.float32)[:, None]
    tolerance = min(tolerance, _LEAST_SHARE * math.sqrt(cv2.contourArea(line)))
    simple = cv2.approxPolyDP(line, tolerance, closed=True)[:, 0]
    return simple.astype(np.float64) if len(simple) >= 3 else outline
