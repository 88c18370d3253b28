"""Evaluate one video: a pure function from its case to small records, which any process can run.

Decodes and checks the video's masks or boxes; names the video in errors and warnings. Source: YTVOSeval.evaluateVid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mmdet.errors import UserError
from mmdet.evaluation.ap.curves import MAX_RESULTS, CategoryRecord, ObjectRange
from mmdet.evaluation.ap.match import match
from mmdet.evaluation.tracks.box_tracks import BoxTrack, box_ious, box_track_of, read_box_track
from mmdet.evaluation.tracks.cases import AnyTrack, ResultTrack, TruthTrack, VideoCase
from mmdet.evaluation.tracks.mask_tracks import MaskTrack, mask_ious, read_masks_of
from mmdet.fileio.results.result_file import is_finite_number

IoUType = Literal["segm", "bbox"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRecord:
    """The contribution of a video to the figures."""

    video_id: int
    categories: tuple[CategoryRecord, ...]  # those with truths or results
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Category:
    """What one category of a video is matched by; the arrays as in `match`."""

    category_id: int
    truths: Sequence[TruthTrack]
    results: Sequence[ResultTrack]  # highest score first
    ious: NDArray[np.float64]
    truth_ignored: NDArray[np.bool_]
    outside: NDArray[np.bool_]
    strict: bool

    def of(self, kept: NDArray[np.bool_]) -> _Category:
        """Return the same with some of the results (D,), in the first range alone."""
        return replace(
            self,
            results=[result for result, stays in zip(self.results, kept.tolist(), strict=True) if stays],
            ious=self.ious[kept],
            truth_ignored=self.truth_ignored[:1],
            outside=self.outside[:1, kept],
        )

    def record(self) -> CategoryRecord:
        """Match the results."""
        matched, ignored = match(
            self.ious,
            self.truth_ignored,
            is_crowd=np.array([track.is_crowd for track in self.truths], dtype=np.bool_),
            outside=self.outside,
            counts=np.array([not self.strict or track.annotation_id != 0 for track in self.truths], dtype=np.bool_),
        )
        return CategoryRecord(
            category_id=self.category_id,
            scores=np.array([track.score for track in self.results], dtype=np.float64),
            matched=matched,
            ignored=ignored,
            num_truths=np.count_nonzero(~self.truth_ignored, axis=1),
        )


def evaluate_video(
    case: VideoCase,
    ranges: Sequence[ObjectRange],
    *,
    strict: bool = False,
    iou_type: IoUType = "segm",
    compiled: bool = True,
) -> VideoRecord:
    """Match the results of every category by masks or boxes. Raises UserError for malformed ones.

    With `strict` a match to annotation id 0 does not count, as in the original; `compiled` as in `read_mask_tracks`.
    """
    groups = _by_category(case)
    tracks = [track for group in groups.values() for part in group for track in part]
    shapes: Sequence[MaskTrack | BoxTrack]
    shapes = read_masks_of(case, tracks, compiled=compiled) if iou_type == "segm" else _box_tracks(case, tracks)
    ignored_truths, outside = _ignored(tracks, shapes, ranges)
    records = []
    sizes_differ = False
    end = 0
    for category_id, (truths, results) in groups.items():
        begin, middle, end = end, end + len(truths), end + len(truths) + len(results)
        ious, differ = _ious(shapes[middle:end], shapes[begin:middle], iou_type)
        sizes_differ |= differ
        own = _Category(
            category_id=category_id,
            truths=truths,
            results=results,
            ious=ious,
            truth_ignored=ignored_truths[:, begin:middle],
            outside=outside[:, middle:end],
            strict=strict,
        )
        best = np.array([result.is_best for result in results], dtype=np.bool_)
        records.append(replace(own.record(), tracks=None if best.all() else own.of(best).record()))
    kept = [track for _, results in groups.values() for track in results]
    warnings = _warnings(case, kept, sizes_differ)
    return VideoRecord(video_id=case.video_id, categories=tuple(records), warnings=warnings)


def _by_category(case: VideoCase) -> dict[int, tuple[list[TruthTrack], list[ResultTrack]]]:
    """Return the truths and the evaluated results of each category, in ascending order of ids."""
    ids = sorted({t.category_id for t in case.truths} | {r.category_id for r in case.results})
    return {
        category_id: (
            [track for track in case.truths if track.category_id == category_id],
            _highest([track for track in case.results if track.category_id == category_id]),
        )
        for category_id in ids
    }


def _highest(results: Sequence[ResultTrack]) -> list[ResultTrack]:
    """Return the evaluated results of one category: highest scores first, equal ones in file order."""
    return sorted(results, key=lambda track: -track.score)[: MAX_RESULTS[-1]]


def _ious(results: Sequence[Any], truths: Sequence[Any], iou_type: IoUType) -> tuple[NDArray[np.float64], bool]:
    """Return the IoU of all pairs, (D, G), and whether masks of unequal sizes occurred."""
    return mask_ious(results, truths) if iou_type == "segm" else (box_ious(results, truths), False)


def _ignored(
    tracks: Sequence[AnyTrack], shapes: Sequence[MaskTrack | BoxTrack], ranges: Sequence[ObjectRange]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which tracks need not be found, as truths, and which have an area outside of the range; both (A, N).

    The first are crowds and tracks outside of the range of areas or of occlusion.
    """
    known = [track.area if isinstance(track, TruthTrack) else None for track in tracks]
    areas = [s.mean_area if area is None else area for area, s in zip(known, shapes, strict=True)]
    outside = _outside(areas, [wanted.area for wanted in ranges])
    ignored = outside | np.array([isinstance(track, TruthTrack) and track.is_crowd for track in tracks], dtype=np.bool_)
    for row, wanted in zip(ignored, ranges, strict=True):
        if wanted.occlusion is not None:
            scores = [track.occlusion if isinstance(track, TruthTrack) else None for track in tracks]
            row |= _outside(scores, [wanted.occlusion])[0]
    return ignored, outside


def _outside(values: Sequence[float | None], ranges: Sequence[tuple[float, float]]) -> NDArray[np.bool_]:
    """Return which values lie outside of which range, (A, N)."""
    low, high = np.array(ranges, dtype=np.float64).T[:, :, None]
    numbers = np.array(values, dtype=np.float64)
    outside: NDArray[np.bool_] = (numbers < low) | (numbers > high)
    return outside


def _box_tracks(case: VideoCase, tracks: Sequence[AnyTrack]) -> list[BoxTrack]:
    """Read the boxes of tracks. In frames where a track has a mask and no box, use the box around the mask."""
    given = [_given_boxes(track) for track in tracks]
    lacking = [index for index, track in enumerate(tracks) if _lacks_boxes(track, given[index])]
    # pycocotools computes the boxes around masks.
    masks = read_masks_of(case, [tracks[index] for index in lacking], compiled=False)
    around = dict(zip(lacking, map(box_track_of, masks), strict=True))
    found = []
    for index, (track, boxes) in enumerate(zip(tracks, given, strict=True)):
        if boxes is None:
            found.append(around[index])
            continue
        try:
            own = read_box_track(boxes, isinstance(track, ResultTrack) and track.boxes_are_xyxy)
        except ValueError as error:
            raise UserError(f"video {case.video_id}, {track.name}, {error}") from error
        found.append(_filled_up(own, around[index]) if index in around else own)
    return found


def _given_boxes(track: AnyTrack) -> Sequence[Any] | None:
    """Return a track's boxes. Boxes of a truth without positive sides beside a mask count as missing, as in loading."""
    if track.boxes is None or isinstance(track, ResultTrack):
        return track.boxes
    masks = [*track.segmentations, *[None] * len(track.boxes)]
    return [None if mask and _has_no_area(box) else box for box, mask in zip(track.boxes, masks, strict=False)]


def _has_no_area(box: Any) -> bool:
    if not isinstance(box, list | tuple) or len(box) != 4:
        return not box
    return all(map(is_finite_number, box)) and (box[2] <= 0 or box[3] <= 0)


def _lacks_boxes(track: AnyTrack, boxes: Sequence[Any] | None) -> bool:
    """Return whether a frame has a mask and no box."""
    return boxes is None or any(mask and not box for box, mask in zip(boxes, track.segmentations, strict=False))


def _filled_up(own: BoxTrack, around: BoxTrack) -> BoxTrack:
    """Return the boxes of a track, with the boxes around its masks where it has none."""
    boxes = own.boxes.copy()
    both = min(len(boxes), len(around.boxes))
    missing = own.areas[:both] == 0
    boxes[:both][missing] = around.boxes[:both][missing]
    return BoxTrack(boxes=boxes)


def _warnings(case: VideoCase, results: Sequence[ResultTrack], sizes_differ: bool) -> tuple[str, ...]:
    warnings = []
    known = {case.num_frames} if case.num_frames is not None else set()
    lengths = {len(track.segmentations) for track in case.truths} or known
    others = sum(len(track.segmentations) not in lengths for track in results)
    if others and lengths:
        expected = ", ".join(str(length) for length in sorted(lengths))
        warnings.append(
            f"video {case.video_id}: {others} results do not have the {expected} frames of the ground truth; "
            "only the frames that both have are compared"
        )
    if sizes_differ:
        warnings.append(
            f"video {case.video_id}: masks differ in size from the ground truth's; such frames add nothing to the IoU"
        )
    return tuple(warnings)
