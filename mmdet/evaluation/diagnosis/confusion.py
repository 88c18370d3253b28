"""Count which categories are confused: all tracks are matched with all objects, whatever their categories.

Matching follows the evaluator's rules for one category, at one IoU. A track counts once, as its best class.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdet.evaluation.tracks.cases import VideoCase

MATCH_IOU = 0.5  # the evaluator's lowest threshold


@dataclass(slots=True, kw_only=True)
class Confusion:
    """Counts of tracks by category ids, added up video by video."""

    categories: dict[int, str]
    pairs: Counter[tuple[int, int]] = field(default_factory=Counter)  # (true, predicted), including equal ones
    missed: Counter[int] = field(default_factory=Counter)  # objects without a matching track
    unmatched: Counter[int] = field(default_factory=Counter)  # tracks without an object, even of low score

    def add(self, case: VideoCase, track_ious: NDArray[np.float64]) -> None:
        """Match one video: in order of scores, each track with the free object of the highest IoU (D, G).

        `track_ious` has a row for each result of the case. A track that matches only a crowd is not counted.
        """
        free = set(range(len(case.truths)))
        tracks = [d for d, result in enumerate(case.results) if result.is_best]
        by_score = sorted(tracks, key=lambda d: (-case.results[d].score, case.results[d].category_id))
        for d in by_score:
            near = [g for g in np.flatnonzero(track_ious[d] >= MATCH_IOU).tolist() if g in free]
            predicted = case.results[d].category_id
            if not near:
                self.unmatched[predicted] += 1
                continue
            # As in an evaluation without categories: truths are sorted by category, and of equal IoUs the last is
            # taken.
            best = max(
                near, key=lambda g: (not case.truths[g].is_crowd, track_ious[d, g], case.truths[g].category_id, g)
            )
            if not case.truths[best].is_crowd:
                free.remove(best)
                self.pairs[case.truths[best].category_id, predicted] += 1
        self.missed.update(case.truths[g].category_id for g in free if not case.truths[g].is_crowd)

    def confusions(self) -> list[tuple[int, int, int]]:
        """Return (true, predicted, count) of unequal categories, most frequent first, then by ids."""
        wrong = [(true, predicted, count) for (true, predicted), count in self.pairs.items() if true != predicted]
        return sorted(wrong, key=lambda row: (-row[2], row[0], row[1]))

    def per_category(self) -> dict[int, dict[str, Any]]:
        """Return name and counts of every category that has objects or unmatched results."""
        rows = {}
        for category_id, name in self.categories.items():
            as_other = sum(count for (true, predicted), count in self.pairs.items() if true == category_id != predicted)
            found, missed = self.pairs[category_id, category_id], self.missed[category_id]
            row = {
                "objects": found + as_other + missed,
                "found": found,
                "as_other": as_other,
                "missed": missed,
                "unmatched": self.unmatched[category_id],
            }
            if any(row.values()):
                rows[category_id] = {"name": name, **row}
        return rows

    def to_json(self) -> dict[str, Any]:
        """Return all counts, including the confusions."""
        confusions = [{"true": true, "predicted": other, "count": count} for true, other, count in self.confusions()]
        per_category = {str(category_id): row for category_id, row in self.per_category().items()}
        return {"confusions": confusions, "per_category": per_category}
