"""Compute precision over recall from the matches of all videos, per category, range and number of results.

T IoU thresholds, R recalls, K categories (ascending ids), A ranges, M limits of the number of results. Absent values
are -1. Source: YTVOSeval.accumulate (youtubevos/cocoapi), equal to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Computed exactly as in the original: the 9th threshold is 0.8999999999999999, and an IoU of 0.9 passes it.
IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
MAX_RESULTS = (1, 10, 100)  # results per video and category, highest scores first

ALL_AREAS = (0.0, 1e10)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRange:
    """The objects that count, by mean area in pixels and OVIS's occlusion score (None: all).

    Both ends are inclusive.
    """

    area: tuple[float, float]
    occlusion: tuple[float, float] | None = None


AREA_RANGES = (  # all, small, medium, large
    ObjectRange(area=ALL_AREAS),
    ObjectRange(area=(0.0, 128.0**2)),
    ObjectRange(area=(128.0**2, 256.0**2)),
    ObjectRange(area=(256.0**2, 1e10)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryRecord:
    """The matches of one category in one video: D results, highest score first, at most 100.

    `tracks` is the same of the best entry of each track alone, in the first range; None if every result is one.
    """

    category_id: int
    scores: NDArray[np.float64]  # (D,)
    matched: NDArray[np.bool_]  # (A, T, D)
    ignored: NDArray[np.bool_]  # (A, T, D): neither a true nor a false positive
    num_truths: NDArray[np.int64]  # (A,) number of objects to find
    tracks: CategoryRecord | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """The values of which all figures are means."""

    precision: NDArray[np.float64]  # (T, R, K, A, M)
    recall: NDArray[np.float64]  # (T, K, A, M)
    scores: NDArray[np.float64]  # (T, R, K, A, M): score of the result that reaches the recall


def accumulate(records: Iterable[CategoryRecord], category_ids: Sequence[int], num_ranges: int) -> Curves:
    """Combine the records of all videos. Those of one category must come in ascending order of video ids."""
    by_category: dict[int, list[CategoryRecord]] = {category_id: [] for category_id in category_ids}
    for record in records:
        by_category[record.category_id].append(record)
    shape = (len(category_ids), num_ranges, len(MAX_RESULTS))
    precision = np.full((len(IOU_THRESHOLDS), len(RECALLS), *shape), -1.0)
    recall = np.full((len(IOU_THRESHOLDS), *shape), -1.0)
    scores = np.full_like(precision, -1.0)
    for k, own in enumerate(by_category.values()):
        if not own:
            continue
        num_truths = np.sum([record.num_truths for record in own], axis=0)
        all_scores = np.concatenate([record.scores for record in own])
        order = np.argsort(-all_scores, kind="stable")
        rank = np.concatenate([np.arange(len(record.scores)) for record in own])[order]
        matched = np.concatenate([record.matched for record in own], axis=2)[:, :, order]
        counted = ~np.concatenate([record.ignored for record in own], axis=2)[:, :, order]
        for m, limit in enumerate(MAX_RESULTS):
            kept = rank < limit
            for a in np.flatnonzero(num_truths).tolist():
                true_positives = (matched[a] & counted[a])[:, kept]
                false_positives = (~matched[a] & counted[a])[:, kept]
                precision[:, :, k, a, m], recall[:, k, a, m], scores[:, :, k, a, m] = _curve(
                    true_positives, false_positives, all_scores[order][kept], int(num_truths[a])
                )
    return Curves(precision=precision, recall=recall, scores=scores)


def average(values: NDArray[np.float64]) -> float:
    """Return the mean of the values that are present, -1 if there are none."""
    present = values[values > -1]
    return float(np.mean(present)) if present.size else -1.0


def _curve(
    true_positives: NDArray[np.bool_],
    false_positives: NDArray[np.bool_],
    scores: NDArray[np.float64],
    num_truths: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return precision (T, R), final recall (T,) and scores (T, R) of results (T, D), highest score first."""
    reached = np.zeros((len(IOU_THRESHOLDS), len(RECALLS)))
    score_at = np.zeros_like(reached)
    if not len(scores):
        return reached, np.zeros(len(IOU_THRESHOLDS)), score_at
    true_sum = np.cumsum(true_positives, axis=1).astype(np.float64)
    false_sum = np.cumsum(false_positives, axis=1).astype(np.float64)
    recall = true_sum / num_truths
    precision = true_sum / (false_sum + true_sum + np.spacing(1))
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    for t in range(len(IOU_THRESHOLDS)):
        first = np.searchsorted(recall[t], RECALLS, side="left")
        within = first < len(scores)
        reached[t, within] = envelope[t, first[within]]
        score_at[t, within] = scores[first[within]]
    return reached, recall[:, -1], score_at
