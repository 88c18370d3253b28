"""A set while it is read: its videos and tracks, what the source holds, and what was left out and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pycocotools import mask as coco_mask

from mmdet.datasets.converting.conversion import Conversion, LeftOut
from mmdet.errors import short_list
from mmdet.fileio.annotations.vis_json import Category, Track, VideoInfo, VISJson
from mmdet.ops.masks.segmentations import mask_areas, mask_boxes
from mmdet.structures import RLE, Size

_COUNTED = ("videos", "frames", "objects", "crowds", "masks")


@dataclass(slots=True)
class SeenObject:
    """An object while its video is read: one mask per frame, and how often it was given which category."""

    masks: list[RLE | None]
    categories: Counter[int] = field(default_factory=Counter)

    @property
    def category_id(self) -> int:
        """The category that it was given most often."""
        return self.categories.most_common(1)[0][0]


class VideoObjects:
    """The objects of a video by their id and whether they are a crowd; masks of one object in one frame are joined."""

    def __init__(self, num_frames: int) -> None:
        self.by_key: dict[tuple[int, bool], SeenObject] = {}
        self.num_joined = 0
        self._num_frames = num_frames

    def see(self, number: int, frame: int, category_id: int, mask: RLE, is_crowd: bool = False) -> None:
        """Add a mask that has been checked."""
        seen = self.by_key.setdefault((number, is_crowd), SeenObject([None] * self._num_frames))
        other = seen.masks[frame]
        seen.masks[frame] = mask if other is None else _united(other, mask)
        seen.categories[category_id] += 1
        self.num_joined += other is not None

    @property
    def num_of_several_categories(self) -> int:
        """How many objects were given several categories."""
        return sum(len(seen.categories) > 1 for seen in self.by_key.values())


class Collected:
    """Collects the videos of a set in the order in which they are added; ids count from 1."""

    def __init__(self, categories: Sequence[Category]) -> None:
        self.categories = list(categories)
        self.read: Counter[str] = Counter(categories=len(self.categories))
        self._videos: list[VideoInfo] = []
        self._tracks: list[Track] = []
        self._left_out: dict[tuple[str, str], tuple[int, dict[str, None]]] = {}  # counts, and names in order
        self._notes: dict[str, int] = {}

    def add_video(self, file_names: list[str], size: Size, annotated: Sequence[int] | None = None) -> VideoInfo:
        """Add a video; `annotated` are its annotated frames, None if all are."""
        frames = None if annotated is None else tuple(sorted(annotated))
        video = VideoInfo(len(self._videos) + 1, size, file_names, frames)
        self._videos.append(video)
        self.read.update(videos=1, frames=len(file_names))
        self.read["annotated frames"] += len(file_names if frames is None else frames)
        return video

    def add_track(
        self,
        video: VideoInfo,
        category_id: int,
        masks: Sequence[RLE | None],
        is_crowd: bool = False,
        is_copy: bool = False,
    ) -> None:
        """Add an object of a video that has been added; `masks` are one per frame, checked and without empty runs.

        A copy of another object is not counted as read.
        """
        shown = [frame for frame, mask in enumerate(masks) if mask is not None]
        rles = [mask for mask in masks if mask is not None]
        segmentations: list[Any] = list(masks)
        track = Track(
            annotation_id=len(self._tracks) + 1,
            video_id=video.video_id,
            category_id=category_id,
            is_crowd=is_crowd,
            boxes=[None] * len(masks),
            segmentations=segmentations,
            areas=[None] * len(masks),
        )
        for frame, (x, y, width, height), area in zip(shown, mask_boxes(rles).tolist(), mask_areas(rles), strict=True):
            track.boxes[frame], track.areas[frame] = (x, y, width, height), float(area)
        self._tracks.append(track)
        if not is_copy:
            self.read.update(objects=1, masks=len(rles), crowds=int(is_crowd))

    def add_objects(self, video: VideoInfo, objects: VideoObjects) -> None:
        """Add the objects of a video in the order of their ids, and note what had to be decided."""
        self.note_objects(objects)
        for (_, is_crowd), seen in sorted(objects.by_key.items(), key=lambda item: item[0]):
            self.add_track(video, seen.category_id, seen.masks, is_crowd)

    def note_objects(self, objects: VideoObjects) -> None:
        """Note what had to be decided about the objects of a video."""
        both = sum((number, True) in objects.by_key for number, is_crowd in objects.by_key if not is_crowd)
        self.note("objects of several categories, each is what it is most often: {}", objects.num_of_several_categories)
        self.note("masks that repeat an object in one frame, joined: {}", objects.num_joined)
        self.note("objects that are crowds in some frames, which are tracks of their own: {}", both)

    def keep(self, video: VideoInfo, tracks: Sequence[Track]) -> None:
        """Add a video and its objects with the ids that they have."""
        self._videos.append(video)
        self._tracks += tracks
        self.read.update(videos=1, frames=len(video.file_names), objects=len(tracks))
        self.read["annotated frames"] += len(
            video.file_names if video.annotated_frames is None else video.annotated_frames
        )
        self.read["crowds"] += sum(track.is_crowd for track in tracks)
        self.read["masks"] += sum(mask is not None for track in tracks for mask in track.segmentations)

    def leave_out(self, what: str, why: str, *, name: str | None = None, count: int = 1) -> None:
        """Note that something which was read is left out; `name` says which. What is equal is counted in one line."""
        if not count:
            return
        if what in _COUNTED:
            self.read[what] += count
        known, names = self._left_out.get((what, why), (0, {}))
        if name is not None:
            names[name] = None
        self._left_out[what, why] = known + count, names

    def hold(self, **counts: int) -> None:
        """Note how much the source holds in all, left out or not."""
        self.read |= Counter(counts)

    def note(self, sentence: str, count: int = 1) -> None:
        """Note something; equal sentences are joined and their counts put in for `{}`."""
        if count:
            self._notes[sentence] = self._notes.get(sentence, 0) + count

    def conversion(self, frames: Path, only_videos: bool = False) -> Conversion:
        """Return the set; its file names are relative to the folder `frames`. `only_videos` as in Conversion."""
        left_out = [
            LeftOut(what=what, count=count, why=f"{why}: {short_list(list(names))}" if names else why)
            for (what, why), (count, names) in self._left_out.items()
        ]
        return Conversion(
            data=VISJson(self._videos, self._tracks, self.categories),
            frames=frames,
            read=dict(self.read),
            left_out=tuple(left_out),
            notes=tuple(sentence.format(count) for sentence, count in self._notes.items()),
            only_videos=only_videos,
        )


def _united(first: RLE, second: RLE) -> RLE:
    merged = coco_mask.merge([first, second])
    return {"size": first["size"], "counts": merged["counts"].decode("ascii")}
