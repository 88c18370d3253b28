"""The polygons of a json segmentation: check them and convert all forms that tools write into one.

A segmentation is a list of flat lists `[x, y, x, y, ...]`; some tools write a single flat list, or points as pairs
`[[x, y], ...]`. Polygons with fewer than 3 points are dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmdet.errors import shown
from mmdet.structures import Size

MAX_OUTLINE_PX = 10**6  # of all outlines of a mask, and of coordinates: drawing takes 80 bytes per pixel
_FAR_FRAMES = 2  # a polygon may leave its frame by so many times the frame's longer side
_LEAST_SIDE_PX = 500  # least side of a frame in that rule, so that polygons may leave small frames further
_LEAST_NUMBERS = 6  # x, y of three points


def split_polygons(segmentation: Sequence[Any]) -> tuple[list[Any], int]:
    """Return the flat polygons of a segmentation with at least 3 points, unchecked, and how many have fewer."""
    if not segmentation:
        return [], 0
    if _is_numeric(segmentation[0]):
        parts: Sequence[Any] = [segmentation]
    elif len(segmentation) > 1 and all(_is_point(part) for part in segmentation):
        parts = [_joined(segmentation)]
    else:
        parts = [_joined(part) if _is_list(part) and part and _is_point(part[0]) else part for part in segmentation]
    kept = [part for part in parts if not _is_too_small(part)]
    return kept, len(parts) - len(kept)


def read_polygons(segmentation: Sequence[Any], size: Size) -> list[list[float]]:
    """Return the polygons of a segmentation of a frame of `size` as flat lists of numbers.

    Raises ValueError for a value that is not a polygon, and for a polygon far outside of the frame, which would take
    long to draw.
    """
    reach = _FAR_FRAMES * max(*size, _LEAST_SIDE_PX)
    polygons, outline = [], 0.0
    for polygon in split_polygons(segmentation)[0]:
        points = _points(polygon)
        if not (points.min() >= -reach and (points - [size[1], size[0]]).max() <= reach):  # NaN fails too
            raise ValueError(
                f"a polygon reaches far outside of its frame of {size[1]}x{size[0]}, or is not finite: {shown(polygon)}"
            )
        outline += float(np.abs(points - np.roll(points, 1, axis=0)).max(axis=1).sum())
        if outline > MAX_OUTLINE_PX:
            raise ValueError(f"the polygons of a mask have an outline beyond {MAX_OUTLINE_PX} px")
        polygons.append(points.ravel().tolist())
    return polygons


def _points(polygon: Any) -> np.ndarray:
    """Return the points (P, 2) of a flat polygon."""
    # checked one by one: numpy would descend into nested lists, again for every occurrence
    numbers = polygon if _is_list(polygon) else []
    if not numbers or not all(_is_numeric(number) for number in numbers):
        raise ValueError(f"a polygon is a list of numbers, got {shown(polygon)}")
    try:
        values = np.array(numbers, dtype=np.float64)
    except (OverflowError, TypeError):  # a number with thousands of digits, or a complex one
        raise ValueError(f"a polygon is a list of numbers, got {shown(polygon)}") from None
    if values.size % 2:
        raise ValueError(f"a polygon is a flat list of x, y pairs, got {values.size} numbers: {shown(polygon)}")
    return values.reshape(-1, 2)


def _is_too_small(part: Any) -> bool:
    return _is_list(part) and len(part) < _LEAST_NUMBERS and len(part) % 2 == 0 and all(map(_is_numeric, part))


def _joined(points: Sequence[Any]) -> list[Any]:
    """Flatten points to x, y, x, y, ...; other values stay and are refused later."""
    return [number for point in points for number in (point if _is_point(point) else [point])]


def _is_point(value: Any) -> bool:
    return _is_list(value) and len(value) == 2 and _is_numeric(value[0]) and _is_numeric(value[1])


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple | np.ndarray)


def _is_numeric(value: Any) -> bool:
    return isinstance(value, int | float | np.number)
