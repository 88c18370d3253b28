"""The evaluation of one video: from its case to small records, a pure function that any process may run.

Decodes and checks the video's masks; names the video in errors and warnings. Source: YTVOSeval.evaluateVid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdet.config import UserError
from mmdet.evaluation.curves import MAX_RESULTS, CategoryRecord, Range
from mmdet.evaluation.inputs import ResultTrack, TruthTrack, VideoCase
from mmdet.evaluation.matching import match
from mmdet.evaluation.track_iou import MaskTrack, track_ious
from mmdet.ops.masks import mask_areas, to_rles
from mmdet.structures import RLE, Size


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRecord:
    """What a video contributes to the figures."""

    video_id: int
    categories: tuple[CategoryRecord, ...]  # those with truths or results
    warnings: tuple[str, ...]


def evaluate_video(case: VideoCase, ranges: Sequence[Range], strict: bool = False) -> VideoRecord:
    """Match the results of every category. Raises UserError for a malformed segmentation.

    With `strict` a match to annotation id 0 counts as none, as in the original.
    """
    category_ids = sorted({t.category_id for t in case.truths} | {r.category_id for r in case.results})
    records, kept = [], []
    sizes_differ = False
    for category_id in category_ids:
        truths = [track for track in case.truths if track.category_id == category_id]
        results = _highest([track for track in case.results if track.category_id == category_id])
        truth_masks, result_masks = _mask_tracks(case, truths), _mask_tracks(case, results)
        ious, differ = track_ious(result_masks, truth_masks)
        sizes_differ |= differ
        truth_ignored = _truth_ignored(truths, truth_masks, ranges)
        matched, ignored = match(
            ious,
            truth_ignored,
            is_crowd=np.array([track.is_crowd for track in truths], dtype=np.bool_),
            outside=_outside(np.array([track.mean_area for track in result_masks]), [r.area for r in ranges]),
            counts=np.array([not strict or track.annotation_id != 0 for track in truths], dtype=np.bool_),
        )
        records.append(
            CategoryRecord(
                category_id=category_id,
                scores=np.array([track.score for track in results], dtype=np.float64),
                matched=matched,
                ignored=ignored,
                num_truths=np.count_nonzero(~truth_ignored, axis=1),
            )
        )
        kept += results
    warnings = _warnings(case, kept, sizes_differ)
    return VideoRecord(video_id=case.video_id, categories=tuple(records), warnings=warnings)


def _highest(results: Sequence[ResultTrack]) -> list[ResultTrack]:
    """Return what is evaluated of one category: highest score first, of equal ones in file order."""
    return sorted(results, key=lambda track: -track.score)[: MAX_RESULTS[-1]]


def _outside(values: NDArray[np.float64], ranges: Sequence[tuple[float, float]]) -> NDArray[np.bool_]:
    """Return which values lie outside which range, (A, N)."""
    low, high = np.array(ranges, dtype=np.float64).T[:, :, None]
    outside: NDArray[np.bool_] = (values < low) | (values > high)
    return outside


def _truth_ignored(
    truths: Sequence[TruthTrack], masks: Sequence[MaskTrack], ranges: Sequence[Range]
) -> NDArray[np.bool_]:
    """Return which truths are no objects to be found: crowds and those outside a range, (A, G)."""
    areas = [m.mean_area if t.area is None else t.area for t, m in zip(truths, masks, strict=True)]
    ignored = _outside(np.array(areas, dtype=np.float64), [r.area for r in ranges])
    ignored |= np.array([track.is_crowd for track in truths], dtype=np.bool_)
    for row, wanted in zip(ignored, ranges, strict=True):
        if wanted.occlusion is not None:
            scores = np.array([track.occlusion for track in truths], dtype=np.float64)
            row |= _outside(scores, [wanted.occlusion])[0]
    return ignored


def _mask_tracks(case: VideoCase, tracks: Sequence[TruthTrack | ResultTrack]) -> list[MaskTrack]:
    """Decode the segmentations of tracks, all together."""
    shown = [
        (row, frame, segmentation)
        for row, track in enumerate(tracks)
        for frame, segmentation in enumerate(track.segmentations)
        if segmentation
    ]
    try:
        rles = to_rles([segmentation for _, _, segmentation in shown], case.size, any_size=True)
    except ValueError:
        for row, frame, segmentation in shown:
            _check_one(segmentation, case.size, f"video {case.video_id}, {_name(tracks[row])}, frame {frame}")
        raise
    masks: list[list[RLE | None]] = [[None] * len(track.segmentations) for track in tracks]
    areas = [np.zeros(len(track.segmentations), dtype=np.int64) for track in tracks]
    for (row, frame, _), rle, area in zip(shown, rles, mask_areas(rles).tolist(), strict=True):
        masks[row][frame] = rle
        areas[row][frame] = area
    return [MaskTrack(rles=tuple(m), areas=a) for m, a in zip(masks, areas, strict=True)]


def _check_one(segmentation: Any, size: Size, where: str) -> None:
    try:
        to_rles([segmentation], size, any_size=True)
    except ValueError as error:
        raise UserError(f"{where}: {error}") from error


def _name(track: TruthTrack | ResultTrack) -> str:
    if isinstance(track, TruthTrack):
        return f"annotation {track.annotation_id}"
    return f"result {track.position}"


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
