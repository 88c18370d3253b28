"""The YouTube-VIS json (OVIS's is the same): which videos, tracks and categories exist. Reads, checks and writes it.

Decodes no image and no mask, and knows nothing of folders or training. Source: docs/data.md. Files as met in the wild
are read as they are: no `annotations`, null frames, all three kinds of segmentation, crowds, ids with gaps.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdet.errors import UserError
from mmdet.fileio.atomic import write_text_atomically
from mmdet.fileio.json_fields import (
    check_unique,
    checked_text,
    get_field,
    get_integer,
    get_list,
    is_number,
    read_object,
    shown,
)
from mmdet.structures import Size

XYWH = tuple[float, float, float, float]
Segmentation = dict[str, Any] | list[Any]  # RLE, compressed (counts str) or not (counts list) | list of polygons


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """One video: `file_names` are relative to the image folder, in order of time."""

    video_id: int
    size: Size
    file_names: list[str]


@dataclass(frozen=True, slots=True)
class Track:
    """One object through a video; every list has one entry a frame of the video, None where it is not seen."""

    annotation_id: int
    video_id: int
    category_id: int
    is_crowd: bool
    boxes: list[XYWH | None]  # x, y, width, height in pixels
    segmentations: list[Segmentation | None]
    areas: list[float | None]  # of the mask, square pixels; of the box where the file does not say


@dataclass(frozen=True, slots=True)
class Category:
    """A class of objects; its label is its position in the file, whatever its id."""

    category_id: int
    name: str


@dataclass(frozen=True, slots=True)
class VISJson:
    """A whole file, everything in file order."""

    videos: list[VideoInfo]
    tracks: list[Track]
    categories: list[Category]

    @property
    def has_annotations(self) -> bool:
        """Whether anything is annotated: files of validation and test sets often name the videos only."""
        return bool(self.tracks)


def load_vis_json(path: str | Path) -> VISJson:
    """Read and check a file; UserError names the file, the video, the annotation and what is wrong there."""
    with _collector_at_rest():
        return _parse(read_object(path), path)


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Keep Python's garbage collector from looking again and again through millions of values, all of them in use."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _parse(raw: dict[str, Any], path: str | Path) -> VISJson:
    categories = parse_categories(raw, path)
    videos = [parse_video(entry, f"{path}: videos[{i}]") for i, entry in enumerate(get_list(raw, "videos", path))]
    check_unique((video.video_id for video in videos), f"{path}: video")
    by_id = {video.video_id: video for video in videos}
    known_categories = {category.category_id for category in categories}
    entries = [] if raw.get("annotations") is None else get_list(raw, "annotations", path)
    tracks = [
        parse_track(entry, by_id, known_categories, f"{path}: annotations[{i}]") for i, entry in enumerate(entries)
    ]
    check_unique((track.annotation_id for track in tracks), f"{path}: annotation")
    return VISJson(videos, tracks, categories)


def write_vis_json(data: VISJson, path: str | Path) -> None:
    """Write a file that `load_vis_json` reads back equal; without tracks it has no `annotations`."""
    sizes = {video.video_id: video.size for video in data.videos}
    raw: dict[str, Any] = {
        "info": {"description": "video instance segmentation, YouTube-VIS format"},
        "videos": [
            {
                "id": video.video_id,
                "width": video.size[1],
                "height": video.size[0],
                "length": len(video.file_names),
                "file_names": video.file_names,
            }
            for video in data.videos
        ],
        "categories": [{"id": c.category_id, "name": c.name, "supercategory": "object"} for c in data.categories],
    }
    if data.has_annotations:
        raw["annotations"] = [_track_entry(track, sizes[track.video_id]) for track in data.tracks]
    # pycocotools hands out counts as bytes, json knows only str
    text = json.dumps(raw, default=lambda counts: counts.decode("ascii"))
    write_text_atomically(path, text)


def _track_entry(track: Track, size: Size) -> dict[str, Any]:
    return {
        "id": track.annotation_id,
        "video_id": track.video_id,
        "category_id": track.category_id,
        "iscrowd": int(track.is_crowd),
        "width": size[1],
        "height": size[0],
        "length": len(track.boxes),
        "bboxes": track.boxes,
        "segmentations": track.segmentations,
        "areas": track.areas,
    }


def parse_categories(raw: dict[str, Any], path: str | Path) -> list[Category]:
    """Check the `categories` of a file; COCO's are the same."""
    categories = []
    for i, entry in enumerate(get_list(raw, "categories", path)):
        where = f"{path}: categories[{i}]"
        name = checked_text(get_field(entry, "name", where), f"{where}: 'name'")
        categories.append(Category(get_integer(entry, "id", where), name))
    check_unique((category.category_id for category in categories), f"{path}: category")
    return categories


def parse_video(entry: Any, where: str) -> VideoInfo:
    """Check an entry of `videos`; `where` is its place in the file."""
    video_id = get_integer(entry, "id", where)
    where = f"{where} (id {video_id})"
    size = (get_integer(entry, "height", where), get_integer(entry, "width", where))
    if min(size) < 1:
        raise UserError(f"{where}: height and width are {size[0]} and {size[1]}, expected at least 1")
    names = get_list(entry, "file_names", where)
    if not names:
        raise UserError(f"{where}: 'file_names' is empty, a video has at least one frame")
    for frame_index, name in enumerate(names):
        checked_text(name, f"{where}: file_names[{frame_index}]")
    return VideoInfo(video_id, size, names)


def parse_track(entry: Any, videos: dict[int, VideoInfo], category_ids: set[int], where: str) -> Track:
    """Check an entry of `annotations` against the videos and categories of the file; `where` is its place."""
    annotation_id, video_id = get_integer(entry, "id", where), get_integer(entry, "video_id", where)
    where = f"{where} (id {annotation_id}, video {video_id})"
    category_id = get_integer(entry, "category_id", where)
    if video_id not in videos:
        raise UserError(f"{where}: no video has the id {video_id}")
    if category_id not in category_ids:
        raise UserError(f"{where}: no category has the id {category_id}")
    video = videos[video_id]
    boxes = _per_frame(entry, "bboxes", video, where)
    segmentations = _per_frame(entry, "segmentations", video, where)
    areas = _per_frame(entry, "areas", video, where) if entry.get("areas") is not None else [None] * len(boxes)
    for frame_index, segmentation in enumerate(segmentations):
        if boxes[frame_index] is None:
            continue
        place = f"{where}, frame {frame_index}"
        x, y, width, height = boxes[frame_index] = _box(boxes[frame_index], place)
        area = areas[frame_index] = _area(areas[frame_index], width * height, place)
        _check_segmentation(segmentation, video.size, width > 0 and height > 0 and area > 0, place)
    is_crowd = _is_crowd(entry.get("iscrowd"), where)
    return Track(annotation_id, video_id, category_id, is_crowd, boxes, segmentations, areas)


def _is_crowd(value: Any, where: str) -> bool:
    if value not in (None, 0, 1):  # false and true are 0 and 1, too
        raise UserError(f"{where}: 'iscrowd' is {shown(value)}, expected 0 or 1")
    return bool(value)


def _per_frame(entry: Any, key: str, video: VideoInfo, where: str) -> list[Any]:
    values = get_list(entry, key, where)
    if len(values) != len(video.file_names):
        raise UserError(
            f"{where}: {key!r} has {len(values)} entries, its video {video.video_id} has {len(video.file_names)} frames"
        )
    return values


def _box(value: Any, where: str) -> XYWH:
    if isinstance(value, list) and len(value) == 4:
        x, y, width, height = value
        if is_number(x) and is_number(y) and is_number(width) and is_number(height):
            return float(x), float(y), float(width), float(height)
    raise UserError(f"{where}: the box is {shown(value)}, expected four numbers x, y, width, height, or null")


def _area(value: Any, box_area: float, where: str) -> float:
    if value is None:
        return box_area
    if not is_number(value):
        raise UserError(f"{where}: the area is {shown(value)}, expected a number or null")
    return float(value)


def _check_segmentation(value: Any, size: Size, visible: bool, where: str) -> None:
    """Check the outside of a segmentation; what is in it shows when it is decoded."""
    if not value:
        if visible:
            raise UserError(f"{where}: has a box but no segmentation")
    elif isinstance(value, dict):
        if "counts" not in value or "size" not in value:
            keys = f"{sorted(value)!s:.80}"
            raise UserError(f"{where}: the segmentation has the keys {keys}, a RLE has 'counts' and 'size'")
        if value["size"] != [*size]:
            raise UserError(f"{where}: the segmentation's size is {shown(value['size'])}, the video's is {[*size]}")
    elif not isinstance(value, list):
        raise UserError(f"{where}: the segmentation is {shown(value)}, expected a RLE, polygons or null")
