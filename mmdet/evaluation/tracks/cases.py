"""The data types of an evaluation: true and predicted tracks, the case of one video, and a whole ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mmdet.structures import Size

ANY_CATEGORY = -1  # the one category of class-agnostic evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthTrack:
    """One annotated object."""

    annotation_id: int
    category_id: int
    is_crowd: bool
    segmentations: Sequence[Any]  # one per frame, null or empty if not seen
    boxes: Sequence[Any] | None  # x, y, width, height or null per frame; None: take those of the masks
    area: float | None  # mean over the frames that show it; None: not annotated, so computed from masks or boxes
    occlusion: float | None  # OVIS's score of the whole track; None: not annotated

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"annotation {self.annotation_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultTrack:
    """One predicted object."""

    position: int  # in the list of results
    category_id: int
    score: float
    segmentations: Sequence[Any]
    boxes: Sequence[Any] | None
    boxes_are_xyxy: bool

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"result {self.position}"


AnyTrack = TruthTrack | ResultTrack


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoCase:
    """The tracks of one video, which are evaluated together. Tracks are in file order.

    If only some frames are annotated, tracks are empty in all others.
    """

    video_id: int
    size: Size
    num_frames: int | None  # None: the ground truth does not say
    annotated_frames: tuple[int, ...] | None = None  # None: all are
    truths: tuple[TruthTrack, ...]
    results: tuple[ResultTrack, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """A ground truth, prepared once for any number of results."""

    categories: dict[int, str]  # id -> name, ascending ids
    videos: tuple[VideoCase, ...]  # ascending ids, without results
    warnings: tuple[str, ...]


def without_categories(case: VideoCase) -> VideoCase:
    """Put all tracks into one category, in the order of YTVOSeval with useCats=0: by category, then as in the file."""
    truths = sorted(case.truths, key=lambda track: track.category_id)
    results = sorted(case.results, key=lambda track: track.category_id)
    return replace(
        case,
        truths=tuple(replace(track, category_id=ANY_CATEGORY) for track in truths),
        results=tuple(replace(track, category_id=ANY_CATEGORY) for track in results),
    )
