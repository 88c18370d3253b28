"""Check boxes, masks and areas of an annotation file for values that load but cannot belong to an object in the frame.

Checks the raw file content (`raw`), because loading corrects some of it. Decodes all masks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from mmdet.datasets.prepare.findings import Finding, Kind
from mmdet.errors import shown
from mmdet.fileio.annotations.box_check import box_faults
from mmdet.fileio.annotations.json_fields import fits_int64
from mmdet.fileio.annotations.vis_json import Track, VISJson
from mmdet.ops.masks.segmentations import mask_areas, to_rles
from mmdet.structures import RLE, Size

# Training and evaluation end at the first of these.
MALFORMED = Kind("segmentations that cannot be decoded", is_error=True)
# None of these has an area in the frame: training does not see the object, so it becomes background.
NEGATIVE_BOX = Kind("boxes of negative width or height", is_error=True)
OUTSIDE_BOX = Kind("boxes outside of the frame", is_error=True)
NEGATIVE_AREA = Kind("negative areas", is_error=True)
OUTSIDE_POLYGON = Kind("polygons outside of the frame", is_error=True)
# Training would learn to find an object there and to draw an empty mask.
EMPTY_MASK = Kind("boxes with an empty mask", is_error=True)
# Boxes and masks teach different things, and the file does not say which are right.
BOX_OFF = Kind("boxes at odds with their masks", is_error=True)
# Two ids for one object: tracking cannot tell them apart, and evaluation expects both.
SAME_OBJECT = Kind("objects that are in their video twice", is_error=True)
# Still images have some of these by accident, and they do no harm to identities.
SAME_MASK = Kind("masks that are in their frame twice", is_error=False)
# Drawing cuts these off, which may be intended: tools allow outlines to leave the frame.
BEYOND = Kind("polygons that reach beyond the frame", is_error=False)
# Loading computes the missing value from the mask.
NO_BOX = Kind("masks without a box", is_error=False)
NO_AREA = Kind("masks with an area of 0", is_error=False)
# Areas only divide objects into small, medium and large in evaluation.
AREA_OFF = Kind("areas at odds with their masks", is_error=False)

_THIN_PX = 2.0  # polygons of one or two pixels may cover no pixel centre
_BEYOND_PX = 2.0  # tools round outlines differently
_AREA_FACTOR = 2.0  # an area may include hidden parts, or be that of an outline or a smoothed mask


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """An object in one frame: the file's values and its mask."""

    track: Track
    frame: int
    size: Size
    box: Any
    area: Any
    segmentation: Any
    mask: RLE | None  # None if there is none or it cannot be decoded
    pixels: int  # of the mask

    @property
    def where(self) -> str:
        return f"annotation {self.track.annotation_id} of video {self.track.video_id}, frame {self.frame}"


def check_objects(data: VISJson, raw: dict[str, Any]) -> Iterator[Finding]:
    """Yield the findings about the objects of a file, with a progress bar. `raw` is the unchanged file content."""
    sizes = {video.video_id: video.size for video in data.videos}
    known: dict[tuple[int, bytes], Track] = {}
    counts: dict[Kind, list[str]] = {NO_BOX: [], NO_AREA: [], AREA_OFF: []}  # one line each: often all have it
    pairs = zip(data.tracks, raw.get("annotations") or [], strict=True)
    bar = tqdm(pairs, total=len(data.tracks), desc="checking objects", unit="object", leave=False, disable=None)
    for track, entry in bar:
        seen, findings = _frames_of(track, entry, sizes[track.video_id])
        yield from findings
        for item in seen:
            yield from _box_findings(item)
            yield from _polygon_findings(item)
            for kind in _quiet_kinds(item):
                counts[kind].append(item.where)
        yield from _twin(track, seen, known)
    for kind, places in counts.items():
        if places:
            yield Finding(kind, f"{len(places)} {kind.title}{_REMEDY[kind]}; first: {places[0]}")
    for line in box_faults(data):
        yield Finding(BOX_OFF, line)


_REMEDY = {
    NO_BOX: ", which is taken from the mask",
    NO_AREA: ", which is taken from the mask",
    AREA_OFF: f" by more than {_AREA_FACTOR:g} times",
}


def _frames_of(track: Track, entry: dict[str, Any], size: Size) -> tuple[list[_Seen], list[Finding]]:
    """Return the frames in which the file has values of a track, and findings for masks that cannot be decoded."""
    masks, findings = _decode(track, size)
    boxes, areas = (_column(entry.get(key), len(masks)) for key in ("bboxes", "areas"))
    present = [mask for mask in masks if mask is not None]
    pixels = iter(mask_areas(present).tolist())
    rows = [
        _Seen(
            track=track,
            frame=frame,
            size=size,
            box=boxes[frame],
            area=areas[frame],
            segmentation=track.segmentations[frame],
            mask=mask,
            pixels=0 if mask is None else next(pixels),
        )
        for frame, mask in enumerate(masks)
    ]
    return [row for row in rows if row.mask is not None or row.box or row.area], findings


def _decode(track: Track, size: Size) -> tuple[list[RLE | None], list[Finding]]:
    """Return the mask of every frame (None if there is none), and a line if some cannot be decoded."""
    frames = [frame for frame, segmentation in enumerate(track.segmentations) if segmentation]
    masks: list[RLE | None] = [None] * len(track.segmentations)
    try:
        for frame, rle in zip(frames, to_rles([track.segmentations[frame] for frame in frames], size), strict=True):
            masks[frame] = rle
    except ValueError:
        errors = {}
        for frame in frames:
            try:
                masks[frame] = to_rles([track.segmentations[frame]], size)[0]
            except ValueError as error:
                errors[frame] = error
        first = next(iter(errors))
        place = f"annotation {track.annotation_id} of video {track.video_id}"
        said = f"{place}: {len(errors)} of its segmentations cannot be decoded, first in frame {first}: {errors[first]}"
        return masks, [Finding(MALFORMED, said)]
    return masks, []


def _column(values: Any, length: int) -> list[Any]:
    return values if isinstance(values, list) and len(values) == length else [None] * length


def _box_findings(item: _Seen) -> Iterator[Finding]:
    """Check a box and an area by themselves."""
    if fits_int64(item.area) and item.area < 0:
        yield Finding(NEGATIVE_AREA, f"{item.where}: the area is {item.area:g}")
    box = _numbers(item.box)
    if box is None:
        return
    x, y, width, height = box
    told = f"{item.where}: the box is {shown(list(item.box))}"
    if width < 0 or height < 0:
        yield Finding(NEGATIVE_BOX, f"{told}, its {'width' if width < 0 else 'height'} is negative")
    elif width > 0 and height > 0:
        frame_height, frame_width = item.size
        if x >= frame_width or y >= frame_height or x + width <= 0 or y + height <= 0:
            yield Finding(OUTSIDE_BOX, f"{told}, all of it outside of the frame of {frame_width}x{frame_height}")
        elif item.mask is not None and item.pixels == 0 and min(width, height) > _THIN_PX:
            yield Finding(EMPTY_MASK, f"{told}, its mask is empty")


def _quiet_kinds(item: _Seen) -> Iterator[Kind]:
    """Yield findings about the box and area beside a mask that has pixels."""
    if item.pixels == 0:
        return
    box = _numbers(item.box)
    if box is None or (box[2] == 0 and box[3] == 0):
        yield NO_BOX
    if fits_int64(item.area):
        if item.area == 0:
            yield NO_AREA
        elif item.area > 0 and not 1 / _AREA_FACTOR <= item.area / item.pixels <= _AREA_FACTOR:
            yield AREA_OFF


def _polygon_findings(item: _Seen) -> Iterator[Finding]:
    if not isinstance(item.segmentation, list) or item.mask is None:
        return
    height, width = item.size
    for polygon in item.segmentation:
        points = np.asarray(polygon, np.float64).reshape(-1, 2)
        (x1, y1), (x2, y2) = points.min(axis=0), points.max(axis=0)
        spans = f"{item.where}: a polygon spans x {x1:g} to {x2:g}, y {y1:g} to {y2:g}"
        if x1 >= width or y1 >= height or x2 <= 0 or y2 <= 0:
            yield Finding(OUTSIDE_POLYGON, f"{spans}, all of it outside of the frame of {width}x{height}")
        elif max(-x1, -y1, x2 - width, y2 - height) > _BEYOND_PX:
            yield Finding(BEYOND, f"{spans}, beyond the frame of {width}x{height}: it is cut off there")


def _twin(track: Track, seen: Sequence[_Seen], known: dict[tuple[int, bytes], Track]) -> Iterator[Finding]:
    """Yield a finding if a track has the same masks as an earlier one of its video; `known` holds those.

    Crowds may: a region that every category ignores is a crowd of each.
    """
    shapes = [(item.frame, item.mask["counts"]) for item in seen if item.mask is not None and item.pixels]
    if not shapes:
        return
    key = (track.video_id, hashlib.sha256(repr(shapes).encode()).digest())
    other = known.setdefault(key, track)
    if other is not track and not (other.is_crowd and track.is_crowd and other.category_id != track.category_id):
        kind = SAME_OBJECT if len(shapes) > 1 and other.category_id == track.category_id else SAME_MASK
        ids = f"annotations {other.annotation_id} and {track.annotation_id} of video {track.video_id}"
        yield Finding(kind, f"{ids} have the same masks; remove one of them")


def _numbers(box: Any) -> tuple[float, float, float, float] | None:
    """Return a box of four numbers, None for anything else: loading refuses other values."""
    if isinstance(box, list) and len(box) == 4 and all(fits_int64(side) for side in box):
        return box[0], box[1], box[2], box[3]
    return None
