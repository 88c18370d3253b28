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
    """One entry of the results: a predicted object, as one of the classes that it may be.

    Entries with the same masks are one track (`best_entries`). Average precision takes all of them, as the official
    evaluators do; whatever counts or shows tracks takes the best one.
    """

    position: int  # in the list of results
    best_position: int  # of the entry of its track with the highest score, of those that count
    category_id: int
    score: float
    segmentations: Sequence[Any]
    boxes: Sequence[Any] | None
    boxes_are_xyxy: bool

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"result {self.position}"

    @property
    def is_best(self) -> bool:
        """Whether it stands for its track."""
        return self.position == self.best_position


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


def one_per_track(case: VideoCase, score_threshold: float | None = None) -> VideoCase:
    """Keep the best result of each track, and of these those of at least a score."""
    best = (result for result in case.results if result.is_best)
    kept = tuple(result for result in best if score_threshold is None or result.score >= score_threshold)
    return replace(case, results=kept)


def without_categories(case: VideoCase) -> VideoCase:
    """Put all tracks into one category, in the order of YTVOSeval with useCats=0: by category, then as in the file."""
    truths = sorted(case.truths, key=lambda track: track.category_id)
    results = sorted(case.results, key=lambda track: track.category_id)
    return replace(
        case,
        truths=tuple(replace(track, category_id=ANY_CATEGORY) for track in truths),
        results=tuple(replace(track, category_id=ANY_CATEGORY) for track in results),
    )
