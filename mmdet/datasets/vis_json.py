"""The YouTube-VIS json (OVIS's is the same): which videos, tracks and categories exist. Reads, checks and writes it.

Decodes no image and no mask, and knows nothing of folders or training. Source: docs/data.md. Files as met in the wild
are read as they are: no `annotations`, null frames, all three kinds of segmentation, crowds, ids with gaps.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdet.config import UserError
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
    raw = _read_object(Path(path))
    categories = [
        _category(entry, f"{path}: categories[{i}]") for i, entry in enumerate(_list(raw, "categories", path))
    ]
    videos = [_video(entry, f"{path}: videos[{i}]") for i, entry in enumerate(_list(raw, "videos", path))]
    _check_unique((category.category_id for category in categories), f"{path}: category")
    _check_unique((video.video_id for video in videos), f"{path}: video")
    by_id = {video.video_id: video for video in videos}
    known_categories = {category.category_id for category in categories}
    entries = [] if raw.get("annotations") is None else _list(raw, "annotations", path)
    tracks = [_track(entry, by_id, known_categories, f"{path}: annotations[{i}]") for i, entry in enumerate(entries)]
    _check_unique((track.annotation_id for track in tracks), f"{path}: annotation")
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
    Path(path).write_text(json.dumps(raw, default=lambda counts: counts.decode("ascii")), encoding="utf-8")


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


def _read_object(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise UserError(f"annotation file {path} does not exist; data/README.md says where the data goes")
    try:
        raw = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not a json file, perhaps cut off while copying: {error}") from error
    if not isinstance(raw, dict):
        raise UserError(f"{path}: expected an object with videos and categories, got a {type(raw).__name__}")
    return raw


def _category(entry: Any, where: str) -> Category:
    return Category(_integer(entry, "id", where), _text(_get(entry, "name", where), f"{where}: 'name'"))


def _video(entry: Any, where: str) -> VideoInfo:
    video_id = _integer(entry, "id", where)
    where = f"{where} (id {video_id})"
    size = (_integer(entry, "height", where), _integer(entry, "width", where))
    if min(size) < 1:
        raise UserError(f"{where}: height and width are {size[0]} and {size[1]}, expected at least 1")
    names = _list(entry, "file_names", where)
    if not names:
        raise UserError(f"{where}: 'file_names' is empty, a video has at least one frame")
    for frame_index, name in enumerate(names):
        _text(name, f"{where}: file_names[{frame_index}]")
    return VideoInfo(video_id, size, names)


def _track(entry: Any, videos: dict[int, VideoInfo], category_ids: set[int], where: str) -> Track:
    annotation_id, video_id = _integer(entry, "id", where), _integer(entry, "video_id", where)
    where = f"{where} (id {annotation_id}, video {video_id})"
    category_id = _integer(entry, "category_id", where)
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
    is_crowd = bool(entry.get("iscrowd", 0))
    return Track(annotation_id, video_id, category_id, is_crowd, boxes, segmentations, areas)


def _per_frame(entry: Any, key: str, video: VideoInfo, where: str) -> list[Any]:
    values = _list(entry, key, where)
    if len(values) != len(video.file_names):
        raise UserError(
            f"{where}: {key!r} has {len(values)} entries, its video {video.video_id} has {len(video.file_names)} frames"
        )
    return values


def _box(value: Any, where: str) -> XYWH:
    if not (isinstance(value, list) and len(value) == 4 and all(_is_number(side) for side in value)):
        raise UserError(f"{where}: the box is {_shown(value)}, expected four numbers x, y, width, height, or null")
    x, y, width, height = value
    return float(x), float(y), float(width), float(height)


def _area(value: Any, box_area: float, where: str) -> float:
    if value is None:
        return box_area
    if not _is_number(value):
        raise UserError(f"{where}: the area is {_shown(value)}, expected a number or null")
    return float(value)


def _check_segmentation(value: Any, size: Size, visible: bool, where: str) -> None:
    """Check the outside of a segmentation; what is in it shows when it is decoded."""
    if not value:
        if visible:
            raise UserError(f"{where}: has a box but no segmentation")
    elif isinstance(value, dict):
        if "counts" not in value or "size" not in value:
            raise UserError(f"{where}: the segmentation has the keys {sorted(value)}, a RLE has 'counts' and 'size'")
        if value["size"] != [*size]:
            raise UserError(f"{where}: the segmentation's size is {_shown(value['size'])}, the video's is {[*size]}")
    elif not isinstance(value, list):
        raise UserError(f"{where}: the segmentation is {_shown(value)}, expected a RLE, polygons or null")


def _check_unique(ids: Iterable[int], where: str) -> None:
    seen = set()
    for number in ids:
        if number in seen:
            raise UserError(f"{where} id {number} occurs twice")
        seen.add(number)


def _get(entry: Any, key: str, where: object) -> Any:
    if not isinstance(entry, dict):
        raise UserError(f"{where}: is {_shown(entry)}, expected an object")
    if key not in entry:
        raise UserError(f"{where}: the key {key!r} is missing")
    return entry[key]


def _list(entry: Any, key: str, where: object) -> list[Any]:
    value = _get(entry, key, where)
    if not isinstance(value, list):
        raise UserError(f"{where}: {key!r} is {_shown(value)}, expected a list")
    return value


def _integer(entry: Any, key: str, where: str) -> int:
    value = _get(entry, key, where)
    if not _is_number(value) or value != int(value):
        raise UserError(f"{where}: {key!r} is {_shown(value)}, expected an integer")
    return int(value)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise UserError(f"{where} is {_shown(value)}, expected a text")
    return value


def _is_number(value: Any) -> bool:
    """Say whether a value is a number that int64 can hold, so neither NaN nor infinite."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63


def _shown(value: Any) -> str:
    """Return a value as short text: a wrong entry may be megabytes long."""
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
