"""Read sets that are published in the form of YouTube-VIS: its own years, OVIS, LV-VIS and UVO.

They are checked and made alike: compressed masks, boxes and areas of all masks, ids as they are.
Source: docs/convert/youtube_vis.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from mmdet.datasets.converting.conversion import Conversion, ConvertRequest
from mmdet.datasets.converting.published_sets.collected import Collected
from mmdet.datasets.converting.published_sets.layout import (
    IMAGE_FOLDERS,
    find_frame_folder,
    has_its_frames,
    wanted_videos,
)
from mmdet.datasets.prepare.categories import CATEGORIES
from mmdet.datasets.prepare.find_sets import find_img_prefix
from mmdet.errors import UserError, shown
from mmdet.fileio.annotations.raw_json import read_vis_object
from mmdet.fileio.annotations.vis_json import Category, Track, VideoInfo, VISJson, parse_vis_object
from mmdet.ops.masks.segmentations import mask_areas, mask_boxes, to_rles

_AGNOSTIC = "object"
_UVO_FOLDERS = ("uvo_videos_dense_frames", "uvo_videos_frames")


def read_youtube_vis_2019(request: ConvertRequest) -> Conversion:
    """Read YouTube-VIS 2019."""
    return _read(request, "youtube_vis_2019")


def read_youtube_vis_2021(request: ConvertRequest) -> Conversion:
    """Read YouTube-VIS 2021, or 2022, whose categories are the same."""
    return _read(request, "youtube_vis_2021")


def read_ovis(request: ConvertRequest) -> Conversion:
    """Read OVIS, with its labels of occlusion."""
    return _read(request, "ovis")


def read_lv_vis(request: ConvertRequest) -> Conversion:
    """Read LV-VIS, which has no boxes."""
    return _read(request, None)


def read_uvo(request: ConvertRequest) -> Conversion:
    """Read UVO's dense videos, of one category unless the file has others."""
    return _read(request, None)


def _read(request: ConvertRequest, public: str | None) -> Conversion:
    raw = read_vis_object(request.source)
    _take_sizes_from_masks(raw)
    _complete(raw)
    data = parse_vis_object(raw, request.source)
    if not data.videos:
        raise UserError(f"{request.source} lists no videos")
    data = _of_one_category(data, request.category) if request.category else data
    collected = Collected(data.categories)
    for note in data.notes:
        collected.note(note.replace("{", "{{").replace("}", "}}"))
    if public and not request.category:
        _note_categories(data, public, collected)
    samples = [name for video in data.videos for name in (video.file_names[0], video.file_names[-1])]
    near = [request.frames] if request.frames else _folders_near(request.source, data)
    folder = find_frame_folder(request.source, samples, near)
    tracks: dict[int, list[Track]] = defaultdict(list)
    for track in data.tracks:
        tracks[track.video_id].append(track)
    wanted = set(wanted_videos(request, {_name(video) for video in data.videos}, collected))
    for done, video in enumerate(data.videos):
        request.report_progress(done, len(data.videos))
        if _name(video) not in wanted:
            continue
        if has_its_frames(folder, _name(video), video.file_names, video.size, collected):
            collected.keep(video, _normalised(tracks[video.video_id], video, collected))
    request.report_progress(len(data.videos), len(data.videos))
    lengths = [len(video.file_names) for video in data.videos]
    collected.hold(
        frames=sum(lengths),
        objects=len(data.tracks),
        masks=sum(mask is not None for track in data.tracks for mask in track.segmentations),
        crowds=sum(track.is_crowd for track in data.tracks),
    )
    collected.note(f"videos are {min(lengths)} to {max(lengths)} frames long")
    return collected.conversion(folder.root, only_videos=not data.has_annotations)


def _complete(raw: dict[str, Any]) -> None:
    """Give a file without categories, as UVO's, the one of all objects."""
    if not raw.get("categories"):
        raw["categories"] = [{"id": 1, "name": _AGNOSTIC}]
        for entry in _entries(raw, "annotations"):
            entry["category_id"] = 1


def _take_sizes_from_masks(raw: dict[str, Any]) -> None:
    """Correct the sizes of videos whose masks all have one other size, as some of LV-VIS; frames are compared later."""
    sizes: dict[str, set[tuple[int, ...]]] = defaultdict(set)
    for entry in _entries(raw, "annotations"):
        masks = entry.get("segmentations")
        if isinstance(masks, list):
            sizes[shown(entry.get("video_id"))] |= {_size_of(mask) for mask in masks if mask}
    for video in _entries(raw, "videos"):
        found = sizes.get(shown(video.get("id")), set())
        if len(found) == 1 and (size := next(iter(found))):
            video["height"], video["width"] = size


def _entries(raw: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Return the objects that a list of a file holds; what else it holds is refused later."""
    values = raw.get(key)
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _size_of(mask: Any) -> tuple[int, ...]:
    """Return the size in an RLE, () for polygons and anything else, which loading checks."""
    size = mask.get("size") if isinstance(mask, dict) else None
    is_one = isinstance(size, list) and len(size) == 2 and all(type(side) is int for side in size)
    return tuple(size) if is_one and size else ()


def _of_one_category(data: VISJson, name: str) -> VISJson:
    return replace(
        data, categories=[Category(1, name)], tracks=[replace(track, category_id=1) for track in data.tracks]
    )


def _note_categories(data: VISJson, public: str, collected: Collected) -> None:
    """Note if the categories are not those of the set that the file is said to be."""
    own = tuple(category.name for category in sorted(data.categories, key=lambda category: category.category_id))
    if own == CATEGORIES[public]:
        return
    other = next((name for name, names in CATEGORIES.items() if names == own), None)
    collected.note(
        f"its categories are those of {other}, not of {public}" if other else f"its categories are not {public}'s"
    )


def _name(video: VideoInfo) -> str:
    """Return the folder of a video, by which split files name it."""
    return PurePosixPath(video.file_names[0]).parent.name or str(video.video_id)


def _folders_near(path: Path, data: VISJson) -> list[Path]:
    found = find_img_prefix(path, data)
    bases = (path.parent, path.parent.parent)
    inner = [base / name for base in bases for name in (*IMAGE_FOLDERS, *_UVO_FOLDERS)]
    splits = [folder / word for folder in inner for word in path.stem.split("_")]
    return [*([found] if found else []), *inner, *splits, path.parent]


def _normalised(tracks: Sequence[Track], video: VideoInfo, collected: Collected) -> list[Track]:
    """Return the tracks with compressed masks, without those that no frame shows."""
    kept = []
    for track in tracks:
        made = _with_compressed_masks(track, video, collected)
        if any(mask is not None for mask in made.segmentations):
            kept.append(made)
        else:
            collected.leave_out("objects", "no frame has a mask of them", name=f"annotation {track.annotation_id}")
    return kept


def _with_compressed_masks(track: Track, video: VideoInfo, collected: Collected) -> Track:
    """Return a track whose masks are compressed and have a pixel; the box of a mask that has none goes with it."""
    frames = [frame for frame, mask in enumerate(track.segmentations) if mask is not None]
    try:
        rles = to_rles([track.segmentations[frame] for frame in frames], video.size)
    except ValueError as error:
        raise UserError(f"annotation {track.annotation_id} of video {video.video_id}: {error}") from error
    boxes, areas = [*track.boxes], [*track.areas]
    masks: list[Any] = [None] * len(boxes)
    for frame, rle, pixels, own in zip(frames, rles, mask_areas(rles).tolist(), mask_boxes(rles).tolist(), strict=True):
        if pixels:
            masks[frame] = rle
            boxes[frame] = boxes[frame] or (own[0], own[1], own[2], own[3])
        else:
            boxes[frame] = areas[frame] = None
    collected.leave_out("masks", "they have no pixel", count=len(frames) - sum(mask is not None for mask in masks))
    return replace(track, boxes=boxes, segmentations=masks, areas=areas)
