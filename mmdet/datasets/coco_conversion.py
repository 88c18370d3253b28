"""COCO instances as pseudo-videos of one frame each, with the categories of a public video set or COCO's own.

Checks the file as `load_vis_json` does; decodes no image and no mask. How such a frame becomes a pair of different
frames is the business of the transforms (`IndependentCrop`). Source: docs/data.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdet.datasets.public_categories import CATEGORIES, COCO_NAMES, COCO_TO_VIS
from mmdet.errors import UserError
from mmdet.fileio.json_fields import check_unique, get_field, get_integer, get_list, read_object
from mmdet.fileio.vis_json import Category, Track, VideoInfo, VISJson, parse_categories, parse_track, parse_video


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoConversion:
    """The pseudo-videos of a COCO file, and what was left out."""

    data: VISJson
    num_other: int  # annotations of categories that the video set does not have
    num_empty: int  # images without an annotation that is kept


def convert_coco(path: str | Path, target: str | None, keep_empty: bool = False) -> CocoConversion:
    """Read a COCO file; the id of a video is that of its image.

    `target` is a key of `CATEGORIES`, None keeps the file's categories; `keep_empty` keeps images without annotations.
    Raises UserError with the place of what is malformed.
    """
    raw = read_object(path)
    own = parse_categories(raw, path)
    categories, new_ids = own, {category.category_id: category.category_id for category in own}
    if target is not None:
        _check_is_coco(own, path, target)
        categories = [Category(i, name) for i, name in enumerate(CATEGORIES[target], start=1)]
        new_ids = COCO_TO_VIS[target]
    videos = [_video(image, f"{path}: images[{i}]") for i, image in enumerate(get_list(raw, "images", path))]
    check_unique((video.video_id for video in videos), f"{path}: image")
    by_id = {video.video_id: video for video in videos}
    own_ids = {category.category_id for category in own}
    entries = get_list(raw, "annotations", path)
    parsed = [_track(entry, by_id, own_ids, new_ids, f"{path}: annotations[{i}]") for i, entry in enumerate(entries)]
    tracks = [track for track in parsed if track is not None]
    check_unique((track.annotation_id for track in tracks), f"{path}: annotation")
    annotated = {track.video_id for track in tracks}
    kept = [video for video in videos if keep_empty or video.video_id in annotated]
    return CocoConversion(
        data=VISJson(kept, tracks, categories),
        num_other=len(parsed) - len(tracks),
        num_empty=len(videos) - len(annotated),
    )


def _check_is_coco(categories: list[Category], path: str | Path, target: str) -> None:
    """Refuse other meanings of the ids than COCO's, for which the maps are made."""
    for category in categories:
        name = COCO_NAMES.get(category.category_id, category.name)
        if category.name != name:
            raise UserError(
                f"{path}: category {category.category_id} is {category.name!r}, in COCO it is {name!r}: only COCO's "
                f"categories can be turned into those of {target}"
            )


def _video(image: Any, where: str) -> VideoInfo:
    file_names = [get_field(image, "file_name", where)]
    return parse_video({**image, "file_names": file_names}, where)


def _track(
    entry: Any, videos: dict[int, VideoInfo], own_ids: set[int], new_ids: dict[int, int], where: str
) -> Track | None:
    """Return an annotation as a track of one frame, None where its category has no new id."""
    image_id, category_id = get_integer(entry, "image_id", where), get_integer(entry, "category_id", where)
    if image_id not in videos:
        raise UserError(f"{where}: no image has the id {image_id}")
    if category_id not in own_ids:
        raise UserError(f"{where}: no category has the id {category_id}")
    if category_id not in new_ids:
        return None
    as_track = {
        "id": get_field(entry, "id", where),
        "video_id": image_id,
        "category_id": new_ids[category_id],
        "iscrowd": entry.get("iscrowd", 0),
        "bboxes": [get_field(entry, "bbox", where)],
        "segmentations": [get_field(entry, "segmentation", where)],
        "areas": [entry.get("area")],
    }
    return parse_track(as_track, videos, set(new_ids.values()), where)
