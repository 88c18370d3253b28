"""Trace masks: the polygons along the edges of their pixels, of which `to_rle` makes the same masks again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_LEAST_SHARE = 0.05  # of the side of a square of a part's area: so far its outline may lie beside it
Outline = NDArray[np.float64]  # (P, 2): x, y of the corners, in pixels


def trace(mask: NDArray[np.bool_], tolerance: float = 0.0) -> tuple[list[Outline], int]:
    """Return the outline of every part of a mask (H, W), the largest first, and the number of holes that are filled.

    Corners lie on the corners of pixels, so a pixel at x, y is the square from x, y to x + 1, y + 1. An outline goes
    round the part's holes too, on a way of no width to each and back. With a tolerance an outline may lie so many
    pixels beside the mask, of a small part fewer, and has fewer corners; a hole may then lie outside of it.
    """
    # of pixels doubled in size, no two sides of a part share a pixel; each rounds to the corner of one pixel
    doubled = cv2.resize(mask.astype(np.uint8), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    contours, hierarchy = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    lines = [_simplified(_corners((contour[:, 0] + 1) // 2), tolerance) for contour in contours]
    parents = hierarchy[0, :, 3].tolist() if contours else []
    parts: dict[int, list[Outline]] = {place: [] for place, parent in enumerate(parents) if parent < 0}
    for line, parent in zip(lines, parents, strict=True):
        if parent >= 0:
            parts[parent].append(line)
    ordered = sorted(parts, key=lambda place: -cv2.contourArea(lines[place].astype(np.float32)))
    whole = [_with_holes(lines[place], parts[place]) for place in ordered]
    return [outline for outline, _ in whole], sum(lost for _, lost in whole)


def joined(outlines: Sequence[Outline]) -> Outline:
    """Return one outline of several parts: it goes on a way of no width to each and back."""
    whole = outlines[0]
    for part in outlines[1:]:
        apart = ((whole[:, None] - part[None]) ** 2).sum(axis=2)
        place, first = np.unravel_index(np.argmin(apart), apart.shape)
        part = np.roll(part, -int(first), axis=0)
        whole = np.concatenate([whole[: place + 1], part, part[:1], whole[place:]])
    return whole


def _corners(points: NDArray[Any]) -> Outline:
    """Return the points of a closed line at which it turns."""
    points = points[np.any(points != np.roll(points, 1, axis=0), axis=1)]
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    back = (before * after).sum(axis=1) < 0  # a line of no width turns round
    return points[turns | back].astype(np.float64)


def _simplified(outline: Outline, tolerance: float) -> Outline:
    if not tolerance:
        return outline
    line = outline.astype(np.float32)[:, None]
    tolerance = min(tolerance, _LEAST_SHARE * math.sqrt(cv2.contourArea(line)))
    simple = cv2.approxPolyDP(line, tolerance, closed=True)[:, 0]
    return simple.astype(np.float64) if len(simple) >= 3 else outline


def _with_holes(outline: Outline, holes: Sequence[Outline]) -> tuple[Outline, int]:
    """Return an outline that goes round the holes too, and how many holes do not lie inside of it."""
    lost = 0
    for hole in sorted(holes, key=lambda line: line[:, 0].min()):  # so that a way to the left crosses no other hole
        first = int(np.lexsort((hole[:, 1], hole[:, 0]))[0])
        hole = np.roll(hole, -first, axis=0)
        place, x = _next_to_the_left(outline, *hole[0])
        if place is None:
            lost += 1
            continue
        border = [[x, hole[0, 1]]]
        outline = np.concatenate([outline[: place + 1], border, hole, hole[:1], border, outline[place + 1 :]])
    return outline, lost


def _next_to_the_left(outline: Outline, x: float, y: float) -> tuple[int | None, float]:
    """Return the side of an outline that comes next to the left of a point, and its x there; None without any."""
    start, end = outline, np.roll(outline, -1, axis=0)
    low, high = np.minimum(start[:, 1], end[:, 1]), np.maximum(start[:, 1], end[:, 1])
    sides = np.flatnonzero((low <= y) & (y <= high) & (low < high))
    share = (y - start[sides, 1]) / (end[sides, 1] - start[sides, 1])
    crossings = start[sides, 0] + share * (end[sides, 0] - start[sides, 0])
    left = np.flatnonzero(crossings <= x)
    if not len(left) or len(np.flatnonzero(crossings > x)) == 0:
        return None, 0.0
    nearest = left[np.argmax(crossings[left])]
    return int(sides[nearest]), float(crossings[nearest])
