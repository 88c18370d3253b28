"""Convert folders of frames and of PNG masks (from DAVIS, YouTube-VOS and annotation tools) to a VIS json.

The value of a pixel is the id of its object within the video; 0 is background. A frame without a PNG is not annotated.
Source: docs/data.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from mmdet.errors import UserError
from mmdet.fileio.annotations.json_fields import checked_text, read_object
from mmdet.fileio.annotations.vis_json import XYWH, Category, Track, VideoInfo, VISJson
from mmdet.fileio.pictures.images import header_of, list_folder
from mmdet.fileio.pictures.mask_png import frame_files, mask_files, read_ids
from mmdet.ops.masks.segmentations import encode_masks, mask_areas
from mmdet.structures import RLE, Size

VOID = 255  # void pixels: borders and doubtful regions in DAVIS and YouTube-VOS

Names = dict[str, dict[str, str]]  # video -> object id as text -> category


@dataclass(frozen=True, slots=True, kw_only=True)
class PngConversion:
    """The videos of a folder, and notes about them."""

    data: VISJson
    num_masked: int  # frames with a PNG
    without_images: list[str]  # folders of PNGs without a video


def convert_pngs(
    images: Path,
    annotations: Path,
    category: str = "object",
    names: Names | None = None,
    binary: bool = False,
    missing_is_empty: bool = False,
) -> PngConversion:
    """Make a track of every object id of every video in `images/VIDEO/*` and `annotations/VIDEO/*.png`.

    `names` gives the category of every object; without it all have `category`. With `binary` all pixels above 0 are one
    object. If some frames have no PNG, only the others are annotated; with `missing_is_empty` they are annotated as
    empty. Videos and frames are in the natural order of their names. Raises UserError if files or names do not fit
    together.
    """
    videos = [folder for folder in list_folder(images, "folder of videos") if folder.is_dir() and frame_files(folder)]
    if not videos:
        raise UserError(f"{images} has no folder with images: expected {images}/VIDEO/00000.jpg ...")
    mask_folders = [folder.name for folder in list_folder(annotations, "folder of PNGs") if folder.is_dir()]
    categories = sorted({name for ids in names.values() for name in ids.values()}) if names else [category]
    category_ids = {name: number for number, name in enumerate(categories, start=1)}
    infos: list[VideoInfo] = []
    tracks: list[Track] = []
    num_masked = 0
    for video_id, folder in enumerate(videos, start=1):
        frames = frame_files(folder)
        masks = mask_files(annotations / folder.name, frames)
        size = _video_size(frames, masks)
        annotated = None if missing_is_empty or len(masks) == len(frames) else tuple(sorted(masks))
        infos.append(VideoInfo(video_id, size, [f"{folder.name}/{frame.name}" for frame in frames], annotated))
        num_masked += len(masks)
        for object_id, segmentations in _objects(frames, masks, size, binary).items():
            name = _name(names, folder.name, object_id) if names else category
            tracks.append(_track(len(tracks) + 1, video_id, category_ids[name], segmentations))
    _check_found(annotations, num_masked, tracks)
    others = [name for name in mask_folders if not (images / name).is_dir()]
    data = VISJson(infos, tracks, [Category(number, name) for name, number in category_ids.items()])
    return PngConversion(data=data, num_masked=num_masked, without_images=others)


def load_names(path: Path) -> Names:
    """Read `{"VIDEO": {"1": "dog"}}`."""
    raw = read_object(path)
    for video, ids in raw.items():
        if not isinstance(ids, dict):
            raise UserError(f'{path}: {video!r} is {ids!r:.60}, expected the categories of its objects: {{"1": "dog"}}')
        for object_id, name in ids.items():
            checked_text(name, f"{path}: {video!r}: the category of {object_id!r}")
    if not any(raw.values()):
        raise UserError(f'{path} names no category; expected {{"VIDEO": {{"1": "dog"}}}}')
    return raw


def _video_size(frames: list[Path], masks: dict[int, Path]) -> Size:
    """Return the size of the first frame: upright, or as stored if its first mask was drawn on the stored picture."""
    header = header_of(frames[0])
    if header.stored != header.upright and masks:
        ids = read_ids(masks[min(masks)])
        return header.stored if header.as_stored(ids.shape) else header.upright
    return header.upright


def _objects(frames: list[Path], masks: dict[int, Path], size: Size, binary: bool) -> dict[int, list[RLE | None]]:
    """Return the segmentations of every object of a video, one list entry per frame, in the order of the object ids."""
    objects: dict[int, list[RLE | None]] = {}
    for index, path in sorted(masks.items()):
        ids = read_ids(path)
        if ids.shape != size:
            raise UserError(f"{path} is {ids.shape[1]}x{ids.shape[0]}, frame {frames[0]} is {size[1]}x{size[0]}")
        if binary:
            ids = (ids > 0).astype(np.uint8)
        shown = [int(value) for value in np.unique(ids) if value not in (0, VOID)]
        if shown:
            rles = encode_masks(np.stack([ids == value for value in shown]))
            for value, rle in zip(shown, rles, strict=True):
                objects.setdefault(value, [None] * len(frames))[index] = rle
    return dict(sorted(objects.items()))


def _name(names: Names, video: str, object_id: int) -> str:
    try:
        return names[video][str(object_id)]
    except KeyError:
        raise UserError(
            f"the categories name none for object {object_id} of video {video!r}; "
            f"they name {', '.join(sorted(names.get(video, {}))) or 'none of its objects'}"
        ) from None


def _box(rle: RLE) -> XYWH:
    x, y, width, height = coco_mask.toBbox(rle).tolist()
    return x, y, width, height


def _track(annotation_id: int, video_id: int, category_id: int, segmentations: list[Any]) -> Track:
    return Track(
        annotation_id=annotation_id,
        video_id=video_id,
        category_id=category_id,
        is_crowd=False,
        boxes=[None if rle is None else _box(rle) for rle in segmentations],
        segmentations=segmentations,
        areas=[None if rle is None else float(mask_areas([rle])[0]) for rle in segmentations],
    )


def _check_found(annotations: Path, num_masked: int, tracks: list[Track]) -> None:
    if not num_masked:
        raise UserError(
            f"{annotations} has no PNG for any video: expected {annotations}/VIDEO/00000.png, as the images"
        )
    if not tracks:
        raise UserError(
            f"all PNGs in {annotations} hold only 0 and {VOID} (void); if {VOID} is the object, use --binary"
        )
