"""Read, check and write the YouTube-VIS json (OVIS uses the same format): videos, tracks and categories.

Decodes no images and no masks. Real-life variants are accepted: no `annotations`, null frames, all three kinds of
segmentation, crowds, ids with gaps. Source: docs/data.md.
"""

from __future__ import annotations

import gc
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmdet.errors import UserError
from mmdet.fileio.annotations.annotated_frames import KEY as ANNOTATED_FRAMES
from mmdet.fileio.annotations.annotated_frames import read_annotated_frames, sparse_note
from mmdet.fileio.annotations.json_fields import check_unique, checked_text, get_field, get_integer, get_list
from mmdet.fileio.annotations.missing_boxes import take_from_masks
from mmdet.fileio.annotations.raw_json import read_vis_object
from mmdet.fileio.annotations.track_fields import XYWH, Segmentation, read_area, read_box, read_crowd, read_segmentation
from mmdet.fileio.atomic import write_text_atomically
from mmdet.structures import Size

Odd = Counter[str]  # what was read leniently, with counts
_SMALL_POLYGONS, _ONLY_SMALL, _BACKSLASHES = "small polygons", "only small polygons", "backslashes"
_NOTES = {
    _SMALL_POLYGONS: "polygons of fewer than 3 points, left out: {}",
    _ONLY_SMALL: "segmentations of such polygons alone, their objects not seen in these frames: {}",
    _BACKSLASHES: "backslashes in file names read as /: {} names",
}


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """One video. `file_names` are relative to the image folder, in order of time."""

    video_id: int
    size: Size
    file_names: list[str]
    annotated_frames: tuple[int, ...] | None = None  # ascending; None: all are


@dataclass(frozen=True, slots=True)
class Track:
    """One object through a video.

    Every list has one entry per frame of the video, None where the object is not seen. A frame with a mask has a box
    and an area; if the file gives none or not positive ones, they are computed from the mask.
    """

    annotation_id: int
    video_id: int
    category_id: int
    is_crowd: bool
    boxes: list[XYWH | None]  # x, y, width, height in pixels
    segmentations: list[Segmentation | None]
    areas: list[float | None]  # of the mask, square pixels
    occlusion: list[Any] | None = None  # OVIS's labels as the file has them; only the evaluation reads them


@dataclass(frozen=True, slots=True)
class Category:
    """A class of objects. Its label is its position in the file, not its id."""

    category_id: int
    name: str


@dataclass(frozen=True, slots=True)
class VISJson:
    """The content of a file, everything in file order."""

    videos: list[VideoInfo]
    tracks: list[Track]
    categories: list[Category]
    notes: tuple[str, ...] = field(default=(), compare=False)  # what was read leniently, and what looks odd

    @property
    def has_annotations(self) -> bool:
        """Whether the file has annotations; files of validation and test sets often only list the videos."""
        return bool(self.tracks)


def load_vis_json(path: str | Path, *, as_is: bool = False) -> VISJson:
    """Read and check a file. A UserError names the file, the video, the annotation and the mistake.

    `as_is` keeps boxes and areas as they are in the file, None where they are missing, and computes none from masks.
    """
    with _collector_at_rest():
        return parse_vis_object(read_vis_object(path), path, as_is=as_is)


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Pause Python's garbage collector, which would search millions of values again and again, all of them in use."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def parse_vis_object(raw: dict[str, Any], path: str | Path, *, as_is: bool = False) -> VISJson:
    """Check the content of a file as `load_vis_json` does. Lists of annotations are changed in place."""
    odd: Odd = Counter()
    categories = parse_categories(raw, path)
    videos = [parse_video(entry, f"{path}: videos[{i}]", odd) for i, entry in enumerate(get_list(raw, "videos", path))]
    check_unique((video.video_id for video in videos), f"{path}: video")
    by_id = {video.video_id: video for video in videos}
    known_categories = {category.category_id for category in categories}
    entries = [] if raw.get("annotations") is None else get_list(raw, "annotations", path)
    tracks = [
        parse_track(entry, by_id, known_categories, f"{path}: annotations[{i}]", odd, as_is=as_is)
        for i, entry in enumerate(entries)
    ]
    check_unique((track.annotation_id for track in tracks), f"{path}: annotation")
    return VISJson(videos, tracks, categories, (*notes_of(odd), *_frame_notes(videos, tracks)))


def notes_of(odd: Odd) -> list[str]:
    """Return one sentence per kind of leniently read value."""
    return [sentence.format(odd[kind]) for kind, sentence in _NOTES.items() if odd[kind]]


def _frame_notes(videos: Sequence[VideoInfo], tracks: Sequence[Track]) -> list[str]:
    """Return notes: masks that do not count, and whether the file should probably list its annotated frames."""
    shown: dict[int, set[int]] = {video.video_id: set() for video in videos if video.annotated_frames is None}
    listed = {video.video_id: frozenset(video.annotated_frames or ()) for video in videos}
    num_elsewhere = 0
    for track in tracks:
        frames = {frame for frame, mask in enumerate(track.segmentations) if mask}
        if track.video_id in shown:
            shown[track.video_id] |= frames
        else:
            num_elsewhere += len(frames - listed[track.video_id])
    note = sparse_note((len(video.file_names), shown.get(video.video_id, ())) for video in videos)
    notes = [note] if note else []
    if num_elsewhere:
        notes.append(
            f"masks in frames that {ANNOTATED_FRAMES!r} does not list, neither trained on nor measured: {num_elsewhere}"
        )
    return notes


def write_vis_json(data: VISJson, path: str | Path) -> None:
    """Write a file that `load_vis_json` reads back as an equal value. Without tracks it has no `annotations`."""
    sizes = {video.video_id: video.size for video in data.videos}
    raw: dict[str, Any] = {
        "info": {"description": "video instance segmentation, YouTube-VIS format"},
        "videos": [_video_entry(video) for video in data.videos],
        "categories": [{"id": c.category_id, "name": c.name, "supercategory": "object"} for c in data.categories],
    }
    if data.has_annotations:
        raw["annotations"] = [_track_entry(track, sizes[track.video_id]) for track in data.tracks]
    # pycocotools hands out counts as bytes, json knows only str
    text = json.dumps(raw, default=lambda counts: counts.decode("ascii"))
    write_text_atomically(path, text)


def _video_entry(video: VideoInfo) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": video.video_id,
        "width": video.size[1],
        "height": video.size[0],
        "length": len(video.file_names),
        "file_names": video.file_names,
    }
    if video.annotated_frames is not None:
        entry[ANNOTATED_FRAMES] = list(video.annotated_frames)
    return entry


def _track_entry(track: Track, size: Size) -> dict[str, Any]:
    labels = {} if track.occlusion is None else {"occlusion": track.occlusion}
    return {
        **labels,
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
    """Check the `categories` of a file; COCO files have the same."""
    categories = []
    for i, entry in enumerate(get_list(raw, "categories", path)):
        where = f"{path}: categories[{i}]"
        name = checked_text(get_field(entry, "name", where), f"{where}: 'name'")
        categories.append(Category(get_integer(entry, "id", where), name))
    check_unique((category.category_id for category in categories), f"{path}: category")
    return categories


def parse_video(entry: Any, where: str, odd: Odd) -> VideoInfo:
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
        if "\\" in name:
            names[frame_index] = name.replace("\\", "/")
            odd[_BACKSLASHES] += 1
    return VideoInfo(video_id, size, names, read_annotated_frames(entry.get(ANNOTATED_FRAMES), len(names), where))


def parse_track(
    entry: Any, videos: dict[int, VideoInfo], category_ids: set[int], where: str, odd: Odd, *, as_is: bool = False
) -> Track:
    """Check an entry of `annotations` against the videos and categories of the file; `where` is its place."""
    annotation_id, video_id = get_integer(entry, "id", where), get_integer(entry, "video_id", where)
    where = f"{where} (id {annotation_id}, video {video_id})"
    category_id = get_integer(entry, "category_id", where)
    if video_id not in videos:
        raise UserError(f"{where}: no video has the id {video_id}")
    if category_id not in category_ids:
        raise UserError(f"{where}: no category has the id {category_id}")
    video = videos[video_id]
    boxes, areas = (_optional_per_frame(entry, key, video, where) for key in ("bboxes", "areas"))
    segmentations = _per_frame(entry, "segmentations", video, where)
    for frame, segmentation in enumerate(segmentations):
        if not segmentation and not boxes[frame]:  # most frames of most objects
            boxes[frame] = segmentations[frame] = areas[frame] = None
            continue
        try:
            values = _read_frame(boxes[frame], segmentation, areas[frame], video.size, odd)
        except UserError as error:
            raise UserError(f"{where}, frame {frame}{error}") from error
        boxes[frame], segmentations[frame], areas[frame] = values
    track = Track(
        annotation_id,
        video_id,
        category_id,
        read_crowd(entry.get("iscrowd"), where),
        boxes,
        segmentations,
        areas,
        entry.get("occlusion"),
    )
    if not as_is:
        take_from_masks(boxes, areas, segmentations, video.size, where)
    return track


def _read_frame(
    raw_box: Any, raw_segmentation: Any, raw_area: Any, size: Size, odd: Odd
) -> tuple[XYWH | None, Segmentation | None, float | None]:
    """Read what is listed for one frame.

    A UserError lacks the place, which the caller adds: formatting it for every frame is slow.
    """
    box, area = read_box(raw_box, ""), read_area(raw_area, "")
    segmentation, dropped = read_segmentation(raw_segmentation, size, "")
    if dropped:
        odd[_SMALL_POLYGONS] += dropped
    if segmentation is None and dropped:
        odd[_ONLY_SMALL] += 1
        return None, None, None
    if segmentation is None and box is not None:
        area = box[2] * box[3] if area is None else area
        if box[2] > 0 and box[3] > 0 and area > 0:
            raise UserError(": has a box but no segmentation")
    return box, segmentation, area


def _optional_per_frame(entry: Any, key: str, video: VideoInfo, where: str) -> list[Any]:
    """Return what a key lists per frame; a list of None if the key is absent, null or []."""
    return _per_frame(entry, key, video, where) if entry.get(key) else [None] * len(video.file_names)


def _per_frame(entry: Any, key: str, video: VideoInfo, where: str) -> list[Any]:
    values = get_list(entry, key, where)
    if len(values) != len(video.file_names):
        raise UserError(
            f"{where}: {key!r} has {len(values)} entries, its video {video.video_id} has {len(video.file_names)} frames"
        )
    return values
