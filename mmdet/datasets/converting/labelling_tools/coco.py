"""COCO instances: videos with tracks if the file has track ids, else pseudo-videos of one frame each.

They get the categories of a public video set or keep their own. Checks the file as `load_vis_json` does and decodes no
image. The transform `IndependentCrop` later makes a pair of different frames from one. Source: docs/data.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdet.datasets.converting.conversion import Conversion, ConvertRequest, LeftOut
from mmdet.datasets.converting.labelling_tools.coco_videos import Sighting, join_videos
from mmdet.datasets.prepare.categories import CATEGORIES, COCO_NAMES, COCO_TO_VIS
from mmdet.datasets.prepare.find_sets import find_img_prefix
from mmdet.errors import UserError, suggestion
from mmdet.fileio.annotations.foreign_json import foreign_format, track_number
from mmdet.fileio.annotations.json_fields import check_unique, get_field, get_integer, get_list, read_object
from mmdet.fileio.annotations.track_fields import read_box
from mmdet.fileio.annotations.vis_json import (
    Category,
    Odd,
    Track,
    VideoInfo,
    VISJson,
    notes_of,
    parse_categories,
    parse_track,
    parse_video,
)

Progress = Callable[[int, int], None]  # done and total
_REPORTED = 1000  # annotations


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoConversion:
    """The videos made from a COCO file, and what was left out."""

    data: VISJson
    num_images: int  # of the file
    num_annotations: int  # of the file
    num_categories: int  # of the file
    num_other: int  # annotations of categories that the video set does not have
    num_bare: int  # annotations without a mask
    num_empty: int  # videos without an annotation that is kept
    has_identities: bool  # whether the videos have the file's own tracks; else each image is a pseudo-video
    notes: tuple[str, ...]  # what was read leniently, joined or left out


def read_coco(request: ConvertRequest) -> Conversion:
    """Read a COCO file as a format of `tools/convert.py`."""
    if request.to is not None and request.to not in CATEGORIES:
        raise UserError(f"--to {request.to}: {suggestion(request.to, list(CATEGORIES))}")
    made = convert_coco(
        request.source, request.to, request.keep_empty, request.stills, request.boxes_as_masks, request.report_progress
    )
    what = "videos" if made.has_identities else "images"
    empty = LeftOut(what=f"{what} without annotations", count=made.num_empty, why="--keep-empty keeps them")
    left_out = (
        LeftOut(what="annotations of other categories", count=made.num_other, why=f"{request.to} does not have them"),
        LeftOut(
            what="annotations without a mask",
            count=made.num_bare,
            why="a box is not a mask (--boxes-as-masks takes it)",
        ),
        *(() if request.keep_empty else (empty,)),
    )
    return Conversion(
        data=made.data,
        frames=request.frames or _folder_of_images(request.source, made.data),
        read={"frames": made.num_images, "masks": made.num_annotations, "categories": made.num_categories},
        left_out=left_out,
        notes=made.notes,
    )


def _folder_of_images(path: Path, data: VISJson) -> Path:
    """Return the folder near a file that holds one of its images, else the file's own folder.

    CVAT writes annotations/instances_SUBSET.json beside images/SUBSET; sets have their own layouts.
    """
    subset = path.stem.removeprefix("instances_")
    bases = (path.parent, path.parent.parent)
    folders = [base / name for base in bases for name in ("images", f"images/{subset}", ".")]
    names = [video.file_names[0] for video in data.videos]
    near = next((folder for folder in folders if any((folder / name).is_file() for name in names)), None)
    return find_img_prefix(path, data) or near or path.parent


def convert_coco(
    path: str | Path,
    target: str | None,
    keep_empty: bool = False,
    as_stills: bool = False,
    boxes_as_masks: bool = False,
    report_progress: Progress | None = None,
) -> CocoConversion:
    """Read a COCO file. If annotations have track ids, its images become videos with these tracks.

    Otherwise, or with `as_stills`, each image is a video of one frame, whose id is the image's. `target` is a key of
    `CATEGORIES`, None keeps the file's categories; `keep_empty` keeps videos without annotations. Raises UserError with
    the place of a malformed value.
    """
    raw = _read(path)
    own = parse_categories(raw, path)
    categories, new_ids = _targets(own, path, target)
    odd: Odd = Counter()
    images = get_list(raw, "images", path)
    videos = [_video(image, f"{path}: images[{i}]", odd) for i, image in enumerate(images)]
    check_unique((video.video_id for video in videos), f"{path}: image")
    sightings, num_other, num_bare = _sightings(
        raw, path, videos, new_ids, {c.category_id for c in own}, odd, boxes_as_masks, report_progress
    )
    tracks, notes = [sighting.track for sighting in sightings], notes_of(odd)
    if num_bare and not sightings:
        raise UserError(f"{path}: none of its {num_bare} annotations has a mask, only boxes (see --boxes-as-masks)")
    in_videos = not as_stills and any(sighting.number is not None for sighting in sightings)
    if in_videos:
        videos, tracks, joined = join_videos(images, videos, sightings, path)
        notes += joined
    elif not as_stills and any("video_id" in image for image in images):
        notes.append(
            "the images name their videos, but no annotation names its track: each image is a video of its own"
        )
    annotated = {track.video_id for track in tracks}
    return CocoConversion(
        data=VISJson([v for v in videos if keep_empty or v.video_id in annotated], tracks, categories),
        num_images=len(images),
        num_annotations=len(raw["annotations"]),
        num_categories=len(own),
        num_other=num_other,
        num_bare=num_bare,
        num_empty=len(videos) - len(annotated),
        has_identities=in_videos,
        notes=tuple(notes),
    )


def _sightings(
    raw: dict[str, Any],
    path: str | Path,
    videos: list[VideoInfo],
    new_ids: dict[int, int],
    own_ids: set[int],
    odd: Odd,
    boxes_as_masks: bool,
    report_progress: Progress | None,
) -> tuple[list[Sighting], int, int]:
    """Return the annotations to keep, the number with other categories and the number without a mask."""
    by_id = {video.video_id: video for video in videos}
    found, num_other, num_bare = [], 0, 0
    entries = get_list(raw, "annotations", path)
    for i, entry in enumerate(entries):
        if report_progress and i % _REPORTED == 0:
            report_progress(i, len(entries))
        where = f"{path}: annotations[{i}]"
        image_id, category_id = get_integer(entry, "image_id", where), get_integer(entry, "category_id", where)
        if image_id not in by_id:
            raise UserError(f"{where}: no image has the id {image_id}")
        if category_id not in own_ids:
            raise UserError(f"{where}: no category has the id {category_id}")
        if category_id not in new_ids:
            num_other += 1
            continue
        track = _track(_with_mask(entry) if boxes_as_masks else entry, by_id, new_ids, where, odd)
        if track is None or track.segmentations[0] is None:
            num_bare += 1
        else:
            found.append(Sighting(track=track, number=track_number(entry)))
    check_unique((sighting.track.annotation_id for sighting in found), f"{path}: annotation")
    return found, num_other, num_bare


def _with_mask(entry: dict[str, Any]) -> dict[str, Any]:
    """Return an annotation whose box is its mask if it has none."""
    box = read_box(entry.get("bbox"), "")
    if entry.get("segmentation") or box is None:
        return entry
    x, y, width, height = box
    return {**entry, "segmentation": [[x, y, x + width, y, x + width, y + height, x, y + height]]}


def _read(path: str | Path) -> dict[str, Any]:
    """Return the json object of a COCO file. The UserError for a file in another format names that format."""
    raw = read_object(path)
    foreign = None if "images" in raw else foreign_format(raw)
    if foreign:
        raise UserError(f"{path} {foreign}")
    return raw


def _targets(own: list[Category], path: str | Path, target: str | None) -> tuple[list[Category], dict[int, int]]:
    """Return the categories of the result, and the new id of each of the file's that it has."""
    if target is None:
        return own, {category.category_id: category.category_id for category in own}
    _check_is_coco(own, path, target)
    return [Category(i, name) for i, name in enumerate(CATEGORIES[target], start=1)], COCO_TO_VIS[target]


def _check_is_coco(categories: list[Category], path: str | Path, target: str) -> None:
    """Raise UserError if the category ids are not COCO's, for which the maps are made."""
    for category in categories:
        name = COCO_NAMES.get(category.category_id, category.name)
        if category.name != name:
            raise UserError(
                f"{path}: category {category.category_id} is {category.name!r}, in COCO it is {name!r}: only COCO's "
                f"categories can be turned into those of {target}"
            )


def _video(image: Any, where: str, odd: Odd) -> VideoInfo:
    file_names = [get_field(image, "file_name", where)]
    return parse_video({**image, "file_names": file_names}, where, odd)


def _track(
    entry: dict[str, Any], videos: dict[int, VideoInfo], new_ids: dict[int, int], where: str, odd: Odd
) -> Track | None:
    """Return an annotation as a track of one frame, None if it has no mask."""
    if not entry.get("segmentation"):
        return None
    as_track = {
        "id": get_field(entry, "id", where),
        "video_id": entry["image_id"],
        "category_id": new_ids[int(entry["category_id"])],
        "iscrowd": entry.get("iscrowd", 0),
        "bboxes": [entry.get("bbox")],
        "segmentations": [entry["segmentation"]],
        "areas": [entry.get("area")],
    }
    return parse_track(as_track, videos, set(new_ids.values()), where, odd)
