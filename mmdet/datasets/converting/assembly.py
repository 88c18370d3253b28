"""Put a set together from what is seen in each frame: videos, and masks with an identity and a category.

Several masks of one identity in one frame are parts of one object. What cannot become part of the set is counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from mmdet.datasets.converting.category_names import Naming
from mmdet.datasets.converting.conversion import LeftOut
from mmdet.errors import UserError
from mmdet.fileio.annotations.vis_json import Category, Track, VideoInfo, VISJson
from mmdet.ops.masks.segmentations import encode_masks, mask_areas, mask_boxes, to_rle
from mmdet.structures import RLE, Size


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """A set, what was left out while putting it together, and what was joined."""

    data: VISJson
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Object:
    """One identity of a video: its masks by frame, and how often it had which category."""

    masks: dict[int, RLE] = field(default_factory=dict)
    names: Counter[str] = field(default_factory=Counter)
    crowds: int = 0


class SetBuilder:
    """Collects videos and what is seen in them; `finish` makes the set."""

    def __init__(self, naming: Naming | None = None) -> None:
        self._naming = naming or Naming()
        self._videos: list[VideoInfo] = []
        self._objects: dict[tuple[int, Hashable], _Object] = defaultdict(_Object)
        self._counts: Counter[str] = Counter()
        self._alone = 0

    def add_video(self, size: Size, file_names: Sequence[str], annotated: Sequence[int] | None = None) -> int:
        """Add a video and return its id, 1 for the first. `annotated`: its annotated frames, None if all are."""
        frames = None if annotated is None or len(annotated) == len(file_names) else tuple(sorted(annotated))
        self._videos.append(VideoInfo(len(self._videos) + 1, size, list(file_names), frames))
        return len(self._videos)

    def see(
        self,
        video_id: int,
        frame: int,
        identity: Hashable,
        category: str,
        mask: Any,
        *,
        is_crowd: bool = False,
        where: str = "",
    ) -> None:
        """Add a mask: RLE, polygons or an array (H, W) bool. `identity` None makes it an object of one frame.

        Raises UserError that starts with `where` for a mask that is malformed or of another size than the video.
        """
        name = self._naming.name_of(category)
        if name is None:
            self._counts["other"] += 1
            return
        rle = _encoded(mask, self._videos[video_id - 1].size, where)
        if mask_areas([rle])[0] == 0:
            self._counts["empty"] += 1
            return
        if identity is None:
            self._alone += 1
            identity = ("alone", self._alone)
        seen = self._objects[video_id, identity]
        if frame in seen.masks:
            self._counts["parts"] += 1
            rle = _decoded_counts(coco_mask.merge([seen.masks[frame], rle]))
        seen.masks[frame] = rle
        seen.names[name] += 1
        seen.crowds += is_crowd

    def finish(self) -> Assembled:
        """Return the set: objects in the order in which they were first seen, numbered from 1."""
        names = self._naming.order(name for seen in self._objects.values() for name in seen.names)
        ids = {name: number for number, name in enumerate(names, start=1)}
        tracks = [
            _track(number, self._videos[video_id - 1], ids, seen)
            for number, ((video_id, _), seen) in enumerate(self._objects.items(), start=1)
        ]
        categories = [Category(number, name) for name, number in ids.items()]
        left_out = (
            LeftOut(what="masks of other categories", count=self._counts["other"], why="--categories has no such name"),
            LeftOut(
                what="masks without a pixel",
                count=self._counts["empty"],
                why="they are empty, lie outside of the frame or have fewer than 3 points",
            ),
        )
        return Assembled(
            data=VISJson(self._videos, tracks, categories),
            left_out=tuple(left for left in left_out if left.count),
            notes=tuple(self._notes()),
        )

    def _notes(self) -> list[str]:
        mixed = sum(len(seen.names) > 1 for seen in self._objects.values())
        counted = (
            (self._alone, "{} masks have no identity: each is an object of one frame"),
            (self._counts["parts"], "{} masks are further parts of an object in one frame: they are joined"),
            (mixed, "{} objects change their category: each has its most frequent one"),
        )
        return [sentence.format(count) for count, sentence in counted if count]


def _encoded(mask: Any, size: Size, where: str) -> RLE:
    if isinstance(mask, np.ndarray):
        if mask.shape != tuple(size):
            raise UserError(f"{where}: the mask is {mask.shape[1]}x{mask.shape[0]}, its frame {size[1]}x{size[0]}")
        return encode_masks(mask[None].astype(np.bool_))[0]
    try:
        return to_rle(mask, size)
    except ValueError as error:
        raise UserError(f"{where}: {error}") from error


def _decoded_counts(rle: dict[str, Any]) -> RLE:
    return {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode("ascii")}


def _track(number: int, video: VideoInfo, ids: dict[str, int], seen: _Object) -> Track:
    length, frames = len(video.file_names), sorted(seen.masks)
    rles = [seen.masks[frame] for frame in frames]
    boxes: list[Any] = [None] * length
    segmentations: list[Any] = [None] * length
    areas: list[Any] = [None] * length
    for frame, rle, box, area in zip(frames, rles, mask_boxes(rles).tolist(), mask_areas(rles).tolist(), strict=True):
        boxes[frame], segmentations[frame], areas[frame] = tuple(box), rle, float(area)
    return Track(
        annotation_id=number,
        video_id=video.video_id,
        category_id=ids[seen.names.most_common(1)[0][0]],
        is_crowd=2 * seen.crowds > seen.names.total(),
        boxes=boxes,
        segmentations=segmentations,
        areas=areas,
    )
