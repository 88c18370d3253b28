"""The evaluation of one video written plainly: `evaluation/ap/video.py` must equal it and is timed against it.

Like the official code it makes two merges and areas per pair of tracks and frame, and loops over ranges, thresholds and
results. It trusts its masks, which must be compressed RLEs of pycocotools. Source: the rules of YTVOSeval
(youtubevos/cocoapi).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from mmdet.evaluation.ap.curves import IOU_THRESHOLDS, MAX_RESULTS, CategoryRecord, ObjectRange
from mmdet.evaluation.tracks.cases import TruthTrack, VideoCase


def evaluate_video_plainly(case: VideoCase, ranges: Sequence[ObjectRange]) -> list[CategoryRecord]:
    """Match the results of every category by masks."""
    records = []
    for category_id in sorted({t.category_id for t in case.truths} | {r.category_id for r in case.results}):
        truths = [track for track in case.truths if track.category_id == category_id]
        results = [track for track in case.results if track.category_id == category_id]
        results = sorted(results, key=lambda track: -track.score)[: MAX_RESULTS[-1]]
        ious = [[pair_iou(r.segmentations, t.segmentations) for t in truths] for r in results]
        areas = [mean_area(track.segmentations) for track in results]
        shape = (len(ranges), len(IOU_THRESHOLDS), len(results))
        matched, ignored = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
        num_truths = np.zeros(len(ranges), np.int64)
        for a, wanted in enumerate(ranges):
            truth_ignored = [_is_ignored(track, wanted) for track in truths]
            num_truths[a] = truth_ignored.count(False)
            for t, threshold in enumerate(IOU_THRESHOLDS):
                _match(ious, truths, truth_ignored, threshold, matched[a, t], ignored[a, t])
                for d, area in enumerate(areas):
                    if not matched[a, t, d] and not wanted.area[0] <= area <= wanted.area[1]:
                        ignored[a, t, d] = True
        records.append(
            CategoryRecord(
                category_id=category_id,
                scores=np.array([track.score for track in results], dtype=np.float64),
                matched=matched,
                ignored=ignored,
                num_truths=num_truths,
            )
        )
    return records


def pair_iou(result: Sequence[Any], truth: Sequence[Any]) -> float:
    """Return the IoU of two tracks: one merge and one area per frame and sum."""
    intersection = union = 0
    for a, b in zip(result, truth, strict=False):
        if a and b:
            intersection += int(coco_mask.area(coco_mask.merge([a, b], intersect=True)))
            union += int(coco_mask.area(coco_mask.merge([a, b], intersect=False)))
        elif a or b:
            union += int(coco_mask.area(a or b))
    return intersection / union if union else 0.0


def mean_area(segmentations: Sequence[Any]) -> float:
    """Return the mean area of a track over the frames that show it."""
    areas = [area for area in (int(coco_mask.area(mask)) for mask in segmentations if mask) if area]
    return sum(areas) / len(areas) if areas else 0.0


def _is_ignored(track: TruthTrack, wanted: ObjectRange) -> bool:
    area = mean_area(track.segmentations) if track.area is None else track.area
    if track.is_crowd or not wanted.area[0] <= area <= wanted.area[1]:
        return True
    return wanted.occlusion is not None and not wanted.occlusion[0] <= (track.occlusion or 0.0) <= wanted.occlusion[1]


def _match(
    ious: Sequence[Sequence[float]],
    truths: Sequence[TruthTrack],
    truth_ignored: Sequence[bool],
    threshold: float,
    matched: NDArray[np.bool_],
    ignored: NDArray[np.bool_],
) -> None:
    """Match in order of the results at one threshold. Ignored truths are tried last; of equal IoUs the last wins."""
    order = sorted(range(len(truths)), key=lambda g: truth_ignored[g])
    taken: set[int] = set()
    for d, row in enumerate(ious):
        best, choice = min(threshold, 1 - 1e-10), -1
        for g in order:
            if g in taken and not truths[g].is_crowd:
                continue
            if choice >= 0 and not truth_ignored[choice] and truth_ignored[g]:
                break
            if row[g] >= best:
                best, choice = row[g], g
        if choice >= 0:
            taken.add(choice)
            matched[d], ignored[d] = True, truth_ignored[choice]
