"""Convert one video to the input of TrackEval's metric classes: the tracks seen in each frame and their overlaps.

Crowds are not objects: a predicted mask with more than half of its pixels in a crowd is left out of its frame, unless
it matches an object there (IoU 0.5; TrackEval's rule for MOTS). Masks without a pixel count as not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdet.evaluation.tracks.cases import ANY_CATEGORY, VideoCase, one_per_track
from mmdet.evaluation.tracks.overlaps import FrameOverlaps, read_overlaps

_OBJECT_IOU = 0.5  # CLEAR's and IDF1's threshold of a match
_CROWD_SHARE = 0.5


def read_sequences(case: VideoCase, score_threshold: float) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the sequence of all categories together (ANY_CATEGORY), then one per category with a truth or a result.

    A track counts once, as its best class, if its score there is at least `score_threshold`: as others it would be a
    false identity with the same masks. Raises UserError for a malformed segmentation.
    """
    case = one_per_track(case, score_threshold)
    category_ids = {truth.category_id for truth in case.truths} | {result.category_id for result in case.results}
    if not category_ids:
        return
    frames = read_overlaps(case).frames[: _num_frames(case)]
    yield ANY_CATEGORY, _sequence(case, frames, None)
    for category_id in sorted(category_ids):
        yield category_id, _sequence(case, frames, category_id)


def _num_frames(case: VideoCase) -> int | None:
    """Return the number of annotated frames, None if it is unknown."""
    return max((len(truth.segmentations) for truth in case.truths), default=case.num_frames)


def _sequence(case: VideoCase, frames: Sequence[FrameOverlaps], category_id: int | None) -> dict[str, Any]:
    """Return the tracks of a category, None for all, under TrackEval's keys; similarities are (objects, results)."""
    results = np.array([category_id in (None, track.category_id) for track in case.results], dtype=np.bool_)
    truths = np.array([category_id in (None, track.category_id) for track in case.truths], dtype=np.bool_)
    is_crowd = np.array([track.is_crowd for track in case.truths], dtype=np.bool_)
    truth_ids, result_ids, similarities = [], [], []
    for frame in frames:
        rows = np.flatnonzero(results[frame.results])
        objects = np.flatnonzero((truths & ~is_crowd)[frame.truths])
        crowds = np.flatnonzero((truths & is_crowd)[frame.truths])
        ious = frame.ious[np.ix_(rows, objects)]
        in_crowd = frame.intersections[np.ix_(rows, crowds)].max(axis=1, initial=0)
        counts = in_crowd <= _CROWD_SHARE * frame.result_areas[rows]
        if not counts.all():
            counts |= _matched(ious)
        truth_ids.append(frame.truths[objects])
        result_ids.append(frame.results[rows[counts]])
        similarities.append(ious[counts].T)
    gt_ids, num_gt_ids = _renumbered(truth_ids)
    tracker_ids, num_tracker_ids = _renumbered(result_ids)
    return {
        "gt_ids": gt_ids,
        "tracker_ids": tracker_ids,
        "similarity_scores": similarities,
        "num_gt_ids": num_gt_ids,
        "num_tracker_ids": num_tracker_ids,
        "num_gt_dets": sum(map(len, gt_ids)),
        "num_tracker_dets": sum(map(len, tracker_ids)),
        "num_timesteps": len(frames),
    }


def _matched(ious: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which results (D,) an optimal assignment with IoUs (D, G) gives to an object."""
    from scipy.optimize import linear_sum_assignment  # installed with TrackEval; nothing else here needs it

    rows, columns = linear_sum_assignment(np.where(ious >= _OBJECT_IOU, ious, 0.0), maximize=True)
    matched = np.zeros(len(ious), dtype=np.bool_)
    matched[rows] = ious[rows, columns] >= _OBJECT_IOU
    return matched


def _renumbered(ids: Sequence[NDArray[np.int64]]) -> tuple[list[NDArray[np.int64]], int]:
    """Renumber the ids of all frames from 0 without gaps, because the metrics use them as indices.

    Return them and their number.
    """
    known = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *ids]))
    return [np.searchsorted(known, own) for own in ids], len(known)
