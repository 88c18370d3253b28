"""Shapes of labelling tools as outlines: flat polygons x, y, x, y, ... in pixels, as COCO has them."""

from __future__ import annotations

import math

from mmdet.structures import Size

_CORNERS = 72  # of an ellipse's outline


def rectangle(x: float, y: float, width: float, height: float, degrees: float = 0.0) -> list[float]:
    """Return the outline of a rectangle that is turned clockwise about its middle."""
    half_w, half_h = width / 2, height / 2
    corners = ((-half_w, -half_h), (half_w, -half_h), (half_w, half_h), (-half_w, half_h))
    if degrees == 0:  # without rounding
        return [x, y, x + width, y, x + width, y + height, x, y + height]
    return _turned(corners, x + half_w, y + half_h, degrees)


def ellipse(x: float, y: float, x_radius: float, y_radius: float, degrees: float = 0.0) -> list[float]:
    """Return the outline of an ellipse around x, y that is turned clockwise."""
    angles = [2 * math.pi * corner / _CORNERS for corner in range(_CORNERS)]
    return _turned([(x_radius * math.cos(a), y_radius * math.sin(a)) for a in angles], x, y, degrees)


def turned_about_corner(x: float, y: float, width: float, height: float, degrees: float) -> list[float]:
    """Return the outline of a rectangle that is turned clockwise about its upper left corner."""
    if degrees == 0:
        return rectangle(x, y, width, height)
    return _turned([(0, 0), (width, 0), (width, height), (0, height)], x, y, degrees)


def in_frame(outline: list[float], size: Size) -> list[float]:
    """Return an outline with its corners moved into the frame, as tools do when they draw it."""
    height, width = size
    limits = (width, height)
    return [min(max(value, 0), limits[index % 2]) for index, value in enumerate(outline)]


def _turned(
    corners: list[tuple[float, float]] | tuple[tuple[float, float], ...], x: float, y: float, degrees: float
) -> list[float]:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [value for dx, dy in corners for value in (x + dx * cos - dy * sin, y + dx * sin + dy * cos)]
