"""Matching rules: decide from affinities which detection continues which track.

A rule takes affinities (N, 1 + M), column 0 a new object and column 1 + j track j, and returns a choice per
detection (DROPPED, 0 new, 1 + j track j) and the detections whose appearance and box update their track.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import linear_sum_assignment

from mmdet.tracking.state import Array

DROPPED = -1
NEW = 0
NO_SCORE = -100.0  # the score that the first detection of a track must exceed (MODEL.md 7.8)

Matching = Callable[[Array], tuple[list[int], list[int]]]


def greedy(scores: Array) -> tuple[list[int], list[int]]:
    """Match as the release does: each detection in turn takes its best column if its score exceeds that of the holder.

    A detection that does not exceed the holder is dropped and does not try its second choice. A holder that is exceeded
    later keeps its choice, so a track may be chosen twice; the later detection then counts (MODEL.md 7.8).
    """
    columns = scores.argmax(axis=1)
    best_scores, best_columns = scores[np.arange(len(scores)), columns].tolist(), columns.tolist()
    choices: list[int] = []
    holder: dict[int, int] = {}  # column -> detection that took it last
    for row, (score, column) in enumerate(zip(best_scores, best_columns, strict=True)):
        to_beat = best_scores[holder[column]] if column in holder else NO_SCORE
        if column == NEW:
            choices.append(NEW)
        elif score > to_beat:
            choices.append(column)
            holder[column] = row
        else:
            choices.append(DROPPED)
    return choices, list(holder.values())


def one_to_one(scores: Array) -> tuple[list[int], list[int]]:
    """Maximise the total gain over "all detections are new objects". No track is chosen twice."""
    gain = np.maximum(scores[:, 1:] - scores[:, :1], 0)
    choices = [NEW] * len(scores)
    rows, tracks = linear_sum_assignment(gain, maximize=True)
    for row, track, gained in zip(rows.tolist(), tracks.tolist(), gain[rows, tracks].tolist(), strict=True):
        if gained > 0:
            choices[row] = track + 1
    return choices, [row for row, choice in enumerate(choices) if choice != NEW]


MATCHINGS: dict[str, Matching] = {"greedy": greedy, "one_to_one": one_to_one}
