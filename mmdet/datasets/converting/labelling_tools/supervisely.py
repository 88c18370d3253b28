"""Read a Supervisely project of videos: meta.json, and DATASET/ann/VIDEO.mp4.json beside DATASET/video/VIDEO.mp4.

Source: Supervisely's documentation, "Supervisely annotation format: video annotation, objects"; its coordinates are
whole pixels, corners included. docs/convert/supervisely.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmdet.datasets.converting.assembly import SetBuilder
from mmdet.datasets.converting.category_names import naming_for
from mmdet.datasets.converting.conversion import Conversion, ConvertRequest, LeftOut
from mmdet.datasets.converting.labelling_tools.coded_masks import placed, png_mask, unpacked
from mmdet.datasets.converting.labelling_tools.outlines import rectangle
from mmdet.datasets.converting.recognition import not_in_format
from mmdet.datasets.converting.video_frames import FrameFinder, check_size
from mmdet.errors import UserError, shown
from mmdet.fileio.annotations.json_fields import (
    checked_text,
    fits_int64,
    get_field,
    get_integer,
    get_list,
    read_object,
)
from mmdet.fileio.pictures.images import natural_key
from mmdet.structures import Size

_PROJECT = "a Supervisely project of videos"
_BITMAPS = {"bitmap": "bitmap", "alpha_mask": "alpha_mask"}  # type -> key of its geometry
_AREAS = (*_BITMAPS, "polygon", "rectangle")
_FARTHEST_PX = 2**20  # of a corner, so that drawing cannot overflow


@dataclass(frozen=True, slots=True, kw_only=True)
class _Annotation:
    """One video of the project."""

    path: Path
    name: str  # DATASET/clip.mp4
    file: str  # where the video lies in the project
    raw: dict[str, Any]


def read_supervisely(request: ConvertRequest) -> Conversion:
    """Read a project, or one of its data sets."""
    annotations = list(_annotations(request.source))
    classes = _classes(request.source)
    finder = FrameFinder(request, request.source, alone=len(annotations) == 1)
    builder = SetBuilder(naming_for(request, classes))
    counts: Counter[str] = Counter()
    for done, annotation in enumerate(annotations, start=1):
        _add_video(annotation, finder, builder, request, counts)
        request.report_progress(done, len(annotations))
    made = builder.finish()
    return Conversion(
        data=made.data,
        frames=finder.root,
        read={
            "videos": len(annotations),
            "frames": counts["frames"],
            "objects": counts["objects"],
            "masks": counts["figures"],
            "categories": len(classes),
        },
        left_out=(*finder.left_out(), *_left_out(counts), *made.left_out),
        notes=(*made.notes, *finder.notes, *_notes(counts)),
    )


def _annotations(source: Path) -> Iterator[_Annotation]:
    if not source.is_dir():
        raise not_in_format(source, f"the folder of {_PROJECT}")
    files = [path for path in source.rglob("*.json") if path.parent.name == "ann" and not path.name.startswith(".")]
    if not files:
        raise not_in_format(source, f"{_PROJECT}: it has no DATASET/ann/*.json")
    for path in sorted(files, key=lambda path: natural_key(path.relative_to(source).as_posix())):
        raw = read_object(path)
        if "frames" not in raw or "objects" not in raw:
            raise not_in_format(path, "a video annotation of Supervisely")
        folder = path.parent.parent.relative_to(source)
        name, file = (folder / path.stem).as_posix(), (folder / "video" / path.stem).as_posix()
        yield _Annotation(path=path, name=name, file=file, raw=raw)


def _classes(source: Path) -> list[str]:
    """Return the classes of the project in its order, none if its meta.json is not there."""
    path = next((folder / "meta.json" for folder in (source, source.parent) if (folder / "meta.json").is_file()), None)
    if path is None:
        return []
    entries = get_list(read_object(path), "classes", path)
    where = f"{path}: classes"
    return [checked_text(get_field(entry, "title", where), f"{where}: 'title'") for entry in entries]


def _add_video(
    annotation: _Annotation, finder: FrameFinder, builder: SetBuilder, request: ConvertRequest, counts: Counter[str]
) -> None:
    path, raw = annotation.path, annotation.raw
    length = get_integer(raw, "framesCount", str(path)) if raw.get("framesCount") is not None else None
    frames = finder.find(annotation.name, None if length is None else range(length), [annotation.file])
    if frames is None:
        return
    stated = get_field(raw, "size", path)
    size = (get_integer(stated, "height", f"{path}: size"), get_integer(stated, "width", f"{path}: size"))
    check_size(frames, size, annotation.name, path)
    video_id = builder.add_video(frames.size, frames.file_names)
    places = {number: place for place, number in enumerate(frames.numbers)}
    classes = _objects(raw, path)
    counts["frames"] += len(frames.file_names) + frames.missing
    counts["no frame"] += frames.missing
    counts["objects"] += len(raw["objects"])
    counts["tags"] += bool(raw.get("tags")) or any(entry.get("tags") for entry in raw["objects"])
    for frame, figure, where in _figures(raw, path):
        counts["figures"] += 1
        if _is_kept(figure, frame, places, request, counts, where):
            key = figure.get("objectKey", figure.get("objectId"))
            if not isinstance(key, str | int) or key not in classes:
                raise UserError(f"{where}: no object has the key {shown(key)}")
            mask = _mask(figure, size, where)
            builder.see(video_id, places[frame], key, classes[key], mask, where=where)


def _objects(raw: dict[str, Any], path: Path) -> dict[Any, str]:
    """Return the class of every object by its key, and by its id if it has one."""
    classes = {}
    for index, entry in enumerate(get_list(raw, "objects", path)):
        where = f"{path}: objects[{index}]"
        title = checked_text(get_field(entry, "classTitle", where), f"{where}: 'classTitle'")
        classes.update({entry[key]: title for key in ("key", "id") if isinstance(entry.get(key), str | int)})
    return classes


def _figures(raw: dict[str, Any], path: Path) -> Iterator[tuple[int, dict[str, Any], str]]:
    for place, entry in enumerate(get_list(raw, "frames", path)):
        index = get_integer(entry, "index", f"{path}: frames[{place}]")
        for number, figure in enumerate(get_list(entry, "figures", f"{path}: frames[{place}]")):
            where = f"{path}: frame {index}, figures[{number}]"
            get_field(figure, "geometryType", where)
            yield index, figure, where


def _is_kept(
    figure: dict[str, Any],
    frame: int,
    places: dict[int, int],
    request: ConvertRequest,
    counts: Counter[str],
    where: str,
) -> bool:
    kind = figure["geometryType"]
    if kind not in _AREAS:
        counts["no area"] += 1
    elif kind == "rectangle" and not request.boxes_as_masks:
        counts["boxes"] += 1
    elif frame not in places:
        counts["elsewhere"] += 1
    else:
        return True
    return False


def _mask(figure: dict[str, Any], size: Size, where: str) -> Any:
    kind, geometry = figure["geometryType"], get_field(figure, "geometry", where)
    if kind in _BITMAPS:
        coded = get_field(geometry, _BITMAPS[kind], where)
        left, top = _points([get_field(coded, "origin", where)], where)[0].tolist()
        mask = png_mask(unpacked(get_field(coded, "data", where), where, zipped=True), where, size)
        return placed(mask, left, top, size)
    points = get_field(geometry, "points", where)
    outline = _points(get_list(points, "exterior", where), where)
    if kind == "rectangle":
        (x1, y1), (x2, y2) = outline.min(axis=0).tolist(), outline.max(axis=0).tolist()
        return [rectangle(x1, y1, x2 - x1 + 1, y2 - y1 + 1)]
    drawn = np.zeros(size, np.uint8)
    cv2.fillPoly(drawn, [outline], 1)
    for hole in get_list(points, "interior", where) if points.get("interior") else []:
        cv2.fillPoly(drawn, [_points(hole, where)], 0)
    return drawn > 0


def _points(values: Any, where: str) -> np.ndarray:
    """Return points [[x, y], ...] as whole pixels (P, 2) int32."""
    is_list = isinstance(values, list) and len(values) > 0
    if not is_list or not all(isinstance(point, list) and len(point) == 2 for point in values):
        raise UserError(f"{where}: the points are {shown(values)}, expected [[x, y], ...]")
    if not all(fits_int64(value) and abs(value) < _FARTHEST_PX for point in values for value in point):
        raise UserError(f"{where}: the points are {shown(values)}, expected numbers of pixels")
    return np.floor(np.array(values, np.float64)).astype(np.int32)


def _left_out(counts: Counter[str]) -> Iterator[LeftOut]:
    reasons = (
        ("boxes", "rectangles", "a box is not a mask (--boxes-as-masks takes it)"),
        ("no area", "points, lines, graphs and cuboids", "they cover no area"),
        ("elsewhere", "figures", "their frames are not there"),
        ("no frame", "frames", "they are not among the images or in the video"),
    )
    yield from (LeftOut(what=what, count=counts[key], why=why) for key, what, why in reasons if counts[key])


def _notes(counts: Counter[str]) -> tuple[str, ...]:
    return ("tags of videos and objects are not read",) if counts["tags"] else ()
