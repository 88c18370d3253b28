"""The values of an annotation: whether it is a crowd, and its boxes, areas and segmentations per frame.

Loading and evaluation both use these functions, so that they read a file the same way. Values with an obvious meaning
are accepted: [] is an absent box or segmentation, "1" and true are 1, and polygons may have the forms that tools write.
`where` is the place as text.
"""

from __future__ import annotations

from typing import Any

from mmdet.errors import UserError
from mmdet.fileio.annotations.json_fields import all_fit_int64, fits_int64, shown_json
from mmdet.ops.masks.polygons import split_polygons
from mmdet.ops.masks.segmentations import plain_counts
from mmdet.structures import Size

XYWH = tuple[float, float, float, float]
Segmentation = dict[str, Any] | list[Any]  # RLE, compressed (counts str) or not (counts list) | list of polygons

_TRUTHS = {"0": False, "1": True, "false": False, "true": True}


def read_crowd(value: Any, where: str) -> bool:
    """Return whether an annotation is a crowd: 0 or 1, false or true, also as text; null means 0."""
    if isinstance(value, str):
        value = _TRUTHS.get(value.strip().lower(), value)
    if not isinstance(value, int | float | None) or value not in (None, 0, 1):
        raise UserError(f"{where}: 'iscrowd' is {shown_json(value)}, expected 0 or 1")
    return bool(value)


def read_box(value: Any, where: str) -> XYWH | None:
    """Return a box x, y, width, height; None for null and []."""
    if value is None or value == []:
        return None
    if isinstance(value, list) and len(value) == 4 and all_fit_int64(value):
        x, y, width, height = value
        return float(x), float(y), float(width), float(height)
    raise UserError(f"{where}: the box is {shown_json(value)}, expected four numbers x, y, width, height, or null")


def read_area(value: Any, where: str) -> float | None:
    """Return an area in square pixels; None for null and []."""
    if value is None or value == []:
        return None
    if not fits_int64(value):
        raise UserError(f"{where}: the area is {shown_json(value)}, expected a number or null")
    return float(value)


def read_segmentation(value: Any, size: Size, where: str) -> tuple[Segmentation | None, int]:
    """Return a segmentation with its outer form checked, and the number of dropped polygons of fewer than 3 points.

    Null, [] and segmentations of only such polygons give None. The content is checked when it is decoded.
    """
    if not value:
        return None, 0
    if isinstance(value, dict):
        return _rle(value, size, where), 0
    if isinstance(value, list):
        polygons, dropped = split_polygons(value)
        return polygons or None, dropped
    raise UserError(f"{where}: the segmentation is {shown_json(value)}, expected a RLE, polygons or null")


def _rle(value: dict[str, Any], size: Size, where: str) -> dict[str, Any]:
    if "counts" not in value or "size" not in value:
        keys = f"{sorted(value)!s:.80}"
        raise UserError(f"{where}: the segmentation has the keys {keys}, a RLE has 'counts' and 'size'")
    if value["size"] != [*size]:
        raise UserError(f"{where}: the segmentation's size is {shown_json(value['size'])}, the video's is {[*size]}")
    counts = value["counts"]
    if type(counts) is str and counts[1:2] in ("'", '"'):
        return {**value, "counts": plain_counts(counts)}
    return value
