"""Read video panoptic sets, of which only things are objects: VIPSeg and VSPW.

Either the json and PNGs whose colours are segment ids (R + 256 G + 256^2 B), or VIPSeg's own PNGs of 16 bits.
Source: docs/convert/vipseg.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmdet.datasets.converting.conversion import Conversion, ConvertRequest
from mmdet.datasets.converting.published_sets.collected import Collected, VideoObjects
from mmdet.datasets.converting.published_sets.layout import find_images
from mmdet.datasets.converting.published_sets.pairs import Pair, add_video, masks_by_frame, pairs_of
from mmdet.errors import UserError
from mmdet.fileio.annotations.json_fields import (
    checked_text,
    get_field,
    get_integer,
    get_list,
    read_json,
    read_object,
)
from mmdet.fileio.annotations.track_fields import read_crowd
from mmdet.fileio.annotations.vis_json import Category, parse_categories
from mmdet.fileio.pictures.mask_png import read_colours, read_ids

_COLOURED = ("panomasksRGB", "panoptic", "panoptic_masks", "masks")  # folders of PNGs beside the json, VIPSeg's first
_OWN = "panomasks"
_CATEGORIES = "panoVIPSeg_categories.json"
_STUFF = "stuff is no object"
_LARGEST_CLASS = 125  # smaller values of VIPSeg's own PNGs are 1 + class, the others 100 * (1 + class) + number
_NUMBERS_A_CLASS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class _Segment:
    """An entry of `segments_info`."""

    category_id: int
    is_crowd: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Classes:
    """The categories of a file, things and stuff."""

    things: list[Category]
    all_ids: frozenset[int]


_Segments = Mapping[str, Mapping[str, Mapping[int, _Segment]]]  # by video, name of the frame without ending, id


def read_vipseg(request: ConvertRequest) -> Conversion:
    """Read a panoptic json and its coloured PNGs."""
    raw = read_object(request.source)
    classes = _classes(raw, request.source)
    segments = _segments(raw, request.source, classes)
    annotations = _coloured_folder(request.source)
    images = find_images(request, annotations, [annotations.name])
    collected = Collected(classes.things)
    things = {category.category_id for category in classes.things}
    for pair in pairs_of(request, annotations, images, collected, read_colours, listed=segments):
        _read_video(_listed_only(pair, segments[pair.name], collected), segments[pair.name], things, collected)
    return collected.conversion(images)


def read_vipseg_panomasks(request: ConvertRequest) -> Conversion:
    """Read VIPSeg's own PNGs."""
    inner = request.source / _OWN
    annotations = inner if inner.is_dir() else request.source
    images = find_images(request, annotations, [_OWN])
    path = request.categories or annotations.absolute().parent / _CATEGORIES
    if not path.is_file():
        raise UserError(f"{path} does not exist: it names VIPSeg's categories; --categories names the file")
    classes = _classes({"categories": read_json(path)}, path)
    collected = Collected(classes.things)
    things = {category.category_id for category in classes.things}
    for pair in pairs_of(request, annotations, images, collected, read_ids):
        video = add_video(pair, collected)
        objects = VideoObjects(len(pair.frames.files))
        for frame, masks in masks_by_frame(pair, read_ids).items():
            for value, mask in masks.items():
                category_id = (value if value < _LARGEST_CLASS else value // _NUMBERS_A_CLASS) - 1
                if category_id not in classes.all_ids:
                    raise UserError(f"{pair.masks[frame]}: value {value} is of class {category_id}, which {path} lacks")
                if category_id in things:
                    objects.see(value, frame, category_id, mask, is_crowd=value < _LARGEST_CLASS)
                else:
                    collected.leave_out("masks", _STUFF)
        collected.add_objects(video, objects)
    return collected.conversion(images)


def _classes(raw: dict[str, Any], path: Path) -> _Classes:
    """Return the categories, of which `isthing` tells things."""
    categories = parse_categories(raw, path)
    kinds = [
        get_integer(entry, "isthing", f"{path}: categories[{index}]") for index, entry in enumerate(raw["categories"])
    ]
    things = [category for category, is_thing in zip(categories, kinds, strict=True) if is_thing]
    if not things:
        raise UserError(f"{path}: none of its categories is a thing ('isthing'), so it has no objects")
    return _Classes(things=things, all_ids=frozenset(category.category_id for category in categories))


def _segments(raw: dict[str, Any], path: Path, classes: _Classes) -> _Segments:
    found: dict[str, dict[str, dict[int, _Segment]]] = {}
    for index, video in enumerate(get_list(raw, "annotations", path)):
        where = f"{path}: annotations[{index}]"
        name = checked_text(get_field(video, "video_id", where), f"{where}: 'video_id'")
        frames = found.setdefault(name, {})
        for number, frame in enumerate(get_list(video, "annotations", where)):
            place = f"{where}: annotations[{number}]"
            file_name = checked_text(get_field(frame, "file_name", place), f"{place}: 'file_name'")
            frames[Path(file_name).stem] = _segments_of(get_list(frame, "segments_info", place), place, classes)
    if not found:
        raise UserError(f"{path} has no annotations of videos")
    return found


def _segments_of(entries: list[Any], place: str, classes: _Classes) -> dict[int, _Segment]:
    segments = {}
    for index, entry in enumerate(entries):
        where = f"{place}: segments_info[{index}]"
        category_id = get_integer(entry, "category_id", where)
        if category_id not in classes.all_ids:
            raise UserError(f"{where}: no category has the id {category_id}")
        is_crowd = read_crowd(entry.get("iscrowd"), where)
        segments[get_integer(entry, "id", where)] = _Segment(category_id=category_id, is_crowd=is_crowd)
    return segments


def _coloured_folder(path: Path) -> Path:
    """Return the folder of PNGs beside a json: VIPSeg's, or one of the json's name, as COCO has it."""
    names = (*_COLOURED, path.stem)
    folder = next((path.parent / name for name in names if (path.parent / name).is_dir()), None)
    if folder is None:
        raise UserError(f"no folder of PNGs is beside {path}: expected one of {', '.join(names)}")
    return folder


def _listed_only(pair: Pair, frames: Mapping[str, Any], collected: Collected) -> Pair:
    """Return the pair without PNGs of frames that the json does not list."""
    masks = {frame: path for frame, path in pair.masks.items() if path.stem in frames}
    for path in pair.masks.values():
        if path.stem not in frames:
            collected.leave_out("PNGs", "the json does not list their frame", name=f"{pair.name}/{path.name}")
    stems = {path.stem for path in masks.values()}
    for stem in frames:
        if stem not in stems:
            collected.leave_out("frames", "the json lists them, but they have no PNG", name=f"{pair.name}/{stem}")
    return replace(pair, masks=masks)


def _read_video(
    pair: Pair, frames: Mapping[str, Mapping[int, _Segment]], things: set[int], collected: Collected
) -> None:
    """Add a video. A segment of the same id is one object in all frames, and apart from it the crowds of its id."""
    video = add_video(pair, collected)
    objects = VideoObjects(len(pair.frames.files))
    for frame, masks in masks_by_frame(pair, read_colours).items():
        segments = frames[pair.masks[frame].stem]
        for number, mask in masks.items():
            segment = segments.get(number)
            if segment is None:
                collected.leave_out("masks", "segments_info does not have their id")
            elif segment.category_id not in things:
                collected.leave_out("masks", _STUFF)
            else:
                objects.see(number, frame, segment.category_id, mask, segment.is_crowd)
        collected.leave_out("segments", "their PNG has no pixel of them", count=len(segments.keys() - masks.keys()))
    collected.add_objects(video, objects)
