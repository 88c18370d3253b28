"""Regions drawn on images: brushes, polygons, ellipses, boxes, and the identity that each was given.

Source: Label Studio's documentation of its tags and its JSON export.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from mmdet.datasets.converting.conversion import ConvertRequest
from mmdet.datasets.converting.identities import Sighting, number_in
from mmdet.datasets.converting.labelling_tools.coded_masks import png_mask, unpacked
from mmdet.datasets.converting.labelling_tools.label_studio.brush import decode_brush
from mmdet.datasets.converting.labelling_tools.outlines import ellipse, turned_about_corner
from mmdet.errors import UserError, shown
from mmdet.fileio.annotations.json_fields import fits_int64, get_field, get_list
from mmdet.structures import Size

SHAPES = ("brush", "bitmask", "polygon", "ellipse", "rectangle", "keypoint", "vector")  # of regions; also with "labels"
_NO_AREA = ("keypoint", "vector")
_PICTURE = "data:image/png;base64,"


def kind_of(result: dict[str, Any]) -> str:
    """Return what a result is: brush, polygon, ..., without the "labels" of tags that draw and name at once."""
    return str(result["type"]).lower().removesuffix("labels")


def label_of(result: dict[str, Any], others: Sequence[dict[str, Any]]) -> str | None:
    """Return the label of a region: its own, or that of a result with its id; None if it has none."""
    for one in (result, *others):
        value = one.get("value")
        for key, names in value.items() if isinstance(value, dict) else ():
            if key.endswith("labels") and isinstance(names, list) and names and isinstance(names[0], str):
                return names[0]
    return None


def identity_of(result: dict[str, Any], others: Sequence[dict[str, Any]]) -> Hashable:
    """Return the number that was typed or chosen for a region, or stands in its notes; None without one."""
    for one in others:
        value = one.get("value")
        for key in ("number", "text", "choices"):
            found = value.get(key) if isinstance(value, dict) else None
            first = found[0] if isinstance(found, list) and found else found
            if first is not None and (number := number_in(str(first))):
                return number
    meta = result.get("meta")
    notes = meta.get("text") if isinstance(meta, dict) else None
    return next(
        (number for note in (notes if isinstance(notes, list) else ()) if (number := number_in(str(note)))), None
    )


def by_region(results: Sequence[dict[str, Any]]) -> Iterator[tuple[int, dict[str, Any], list[dict[str, Any]]]]:
    """Yield each result that draws, with its place and the other results of its region."""
    same: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for result in results:
        same[str(result.get("id"))].append(result)
    for place, result in enumerate(results):
        if kind_of(result) in SHAPES or kind_of(result) == "videorectangle":
            yield place, result, [other for other in same[str(result.get("id"))] if other is not result]


def sightings_of(
    results: Sequence[dict[str, Any]], frame: int, size: Size, request: ConvertRequest, counts: Counter[str], where: str
) -> Iterator[Sighting]:
    """Yield the masks of one image, and count what is none."""
    for place, result, others in by_region(results):
        here = f"{where}, result[{place}]"
        kind, label = kind_of(result), label_of(result, others)
        counts["regions"] += 1
        if kind in _NO_AREA:
            counts["no area"] += 1
        elif kind == "rectangle" and not request.boxes_as_masks:
            counts["boxes"] += 1
        elif label is None:
            counts["no label"] += 1
        elif result.get("image_rotation"):
            counts["turned"] += 1
        else:
            mask = _mask(kind, result, size, here)
            yield Sighting(frame=frame, identity=identity_of(result, others), category=label, mask=mask, where=here)


def _mask(kind: str, result: dict[str, Any], size: Size, where: str) -> Any:
    value = get_field(result, "value", where)
    stated = (result.get("original_height", size[0]), result.get("original_width", size[1]))
    if stated != tuple(size):
        raise UserError(
            f"{where}: the image was {shown(stated[1])}x{shown(stated[0])} when it was labelled, it is "
            f"{size[1]}x{size[0]}"
        )
    if kind == "brush":
        return decode_brush(get_field(value, "rle", where), size, where)
    if kind == "bitmask":
        text = str(get_field(value, "imageDataURL", where)).removeprefix(_PICTURE)
        return png_mask(unpacked(text, where, zipped=False), where, size)
    if kind == "polygon":
        points = get_list(value, "points", where)
        flat = _numbers(
            [number for point in points for number in (point if isinstance(point, list) else [point])], where
        )
        return [[number * size[1 - index % 2] / 100 for index, number in enumerate(flat)]]
    x_scale, y_scale = size[1] / 100, size[0] / 100
    keys = ("x", "y", "radiusX", "radiusY") if kind == "ellipse" else ("x", "y", "width", "height")
    x, y, width, height = _numbers([get_field(value, key, where) for key in keys], where)
    (degrees,) = _numbers([value.get("rotation") or 0], where)
    draw = ellipse if kind == "ellipse" else turned_about_corner
    return [draw(x * x_scale, y * y_scale, width * x_scale, height * y_scale, degrees)]


def _numbers(values: list[Any], where: str) -> list[float]:
    if not all(fits_int64(value) for value in values):
        raise UserError(f"{where}: its place is {shown(values)}, expected numbers in per cent")
    return [float(value) for value in values]
