"""Precision, recall and F1 of tracks over the score from which on they are kept, and the score that suits best.

Tracks are matched as the evaluator does it: within their category and video, highest score first, at a mask IoU over
space and time of 0.5. All categories are counted together, because a user chooses one threshold for all of them. A
track that is written under several classes counts once, as its best: so it is shown, and its others are not false.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdet.evaluation.ap.curves import ALL_AREAS, CategoryRecord, ObjectRange
from mmdet.evaluation.ap.video import evaluate_video
from mmdet.evaluation.tracks.join import join_results, prepare_truth

MOST_THRESHOLDS = 200
_ALL, _AT_50 = 0, 0  # the range of all areas, and the IoU of 0.5, in a record

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreCurve:
    """What is reached when the tracks with at least a score are kept, for N scores in ascending order.

    The scores are those that occur, at most 200 of them: the lowest, the highest, the one of the best F1, and others
    evenly by rank. Tracks on crowds count neither as kept nor as false, and crowds need not be found.
    """

    thresholds: Values  # (N,)
    precision: Values  # (N,) share of the kept tracks that match an object
    recall: Values  # (N,) share of the objects that a kept track matches; 0 without objects
    f1: Values  # (N,) 2 * matches / (kept tracks + objects)
    tracks: NDArray[np.int64]  # (N,) kept
    objects: int  # to find
    # In the middle between the score of the best F1 and the next lower one (0 if there is none), so that a score that
    # differs in its last digits makes no difference; of equal F1 the highest score. None if no track matches an object.
    best: float | None


def score_curve(ground_truth: dict[str, Any], results: list[dict[str, Any]]) -> ScoreCurve:
    """Match result entries with the ground truth, the parsed json of a data set, by masks.

    Raises UserError as `evaluate` does.
    """
    cases, _ = join_results(prepare_truth(ground_truth), results)
    everything = (ObjectRange(area=ALL_AREAS),)
    return curve_of(record for case in cases for record in evaluate_video(case, everything).categories)


def curve_of(records: Iterable[CategoryRecord]) -> ScoreCurve:
    """Return the curve of matched tracks. The first range of the records must be that of all areas."""
    own = [record.tracks or record for record in records]
    counted = [~record.ignored[_ALL, _AT_50] for record in own]
    scores = np.concatenate([np.zeros(0), *(r.scores[kept] for r, kept in zip(own, counted, strict=True))])
    matched = [r.matched[_ALL, _AT_50, kept] for r, kept in zip(own, counted, strict=True)]
    objects = int(sum(record.num_truths[_ALL] for record in own))
    thresholds, place = np.unique(scores, return_inverse=True)
    tracks = _from_each_on(np.bincount(place, minlength=len(thresholds)))
    found = _from_each_on(np.bincount(place[np.concatenate([np.zeros(0, bool), *matched])], minlength=len(thresholds)))
    f1 = 2 * found / (tracks + objects)
    best = len(f1) - 1 - int(np.argmax(f1[::-1])) if found.any() else None
    shown = _thinned(len(thresholds), best)
    return ScoreCurve(
        thresholds=thresholds[shown],
        precision=(found / tracks)[shown],
        recall=(found / max(objects, 1))[shown],
        f1=f1[shown],
        tracks=tracks[shown],
        objects=objects,
        best=None if best is None else _below(thresholds, best),
    )


def _from_each_on(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each place the sum from there to the end."""
    return np.cumsum(counts[::-1])[::-1]


def _thinned(count: int, best: int | None) -> NDArray[np.int64]:
    """Return at most MOST_THRESHOLDS places of `count` ones, evenly from the first to the last, `best` among them."""
    places = np.unique(np.linspace(0, count - 1, min(count, MOST_THRESHOLDS)).round().astype(np.int64))
    if best is not None and best not in places:
        inner = places[1:-1]
        inner[np.argmin(np.abs(inner - best))] = best
    return places


def _below(thresholds: Values, place: int) -> float:
    """Return the middle between a threshold and the next lower one."""
    score = float(thresholds[place])
    lower = float(thresholds[place - 1]) if place else min(0.0, score)
    return (lower + score) / 2
