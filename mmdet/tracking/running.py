"""What is known of each track while its video runs: its class and its score so far, by the rule of `Ranking`.

A frame costs the same however long the video is. At the end the figures are those of `TrackTube`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from mmdet.structures import Ranking

MOST_TRACKS = 10_000  # remembered; a tracker knows the 500 seen last


@dataclass(slots=True)
class ClassMeans:
    """The mean score of every class over the frames of a track."""

    sums: Tensor | None = None  # (K,): scores added up
    count: int = 0

    def add(self, scores: Tensor | None) -> None:
        """Add the scores (K,) of a frame; None where the model gives none."""
        if scores is not None:
            # never the row itself: it would hold its whole chunk in memory
            self.sums = scores + (0 if self.sums is None else self.sums)
            self.count += 1

    def join(self, other: ClassMeans) -> None:
        """Add the frames of another track of the same object."""
        if other.sums is not None:
            self.sums = other.sums + (0 if self.sums is None else self.sums)
            self.count += other.count

    def means(self) -> tuple[float, ...] | None:
        """Return the mean score of every class, None where the model gives none."""
        return None if self.sums is None else tuple((self.sums / self.count).tolist())


@dataclass(slots=True)
class _Figures:
    label: int  # the most frequent one, of equal ones the smallest
    votes: dict[int, int] = field(default_factory=dict)  # by label
    score_sum: float = 0.0
    count: int = 0  # frames that show the track
    by_class: ClassMeans = field(default_factory=ClassMeans)

    def add(self, label: int, score: float, class_scores: Tensor | None) -> None:
        own = self.votes[label] = self.votes.get(label, 0) + 1
        most = self.votes.get(self.label, 0)
        if own > most or (own == most and label < self.label):  # only this label's count has changed
            self.label = label
        self.score_sum += score
        self.count += 1
        self.by_class.add(class_scores)


class RunningTracks:
    """The figures of the tracks of one video. Beyond `most` the tracks seen longest ago are forgotten."""

    def __init__(self, ranking: Ranking | None = None, most: int = MOST_TRACKS) -> None:
        self._ranking, self._most = ranking or Ranking(), most
        self._num_frames = 0
        self._figures: dict[int, _Figures] = {}  # by track id, the one seen last at the end

    def __len__(self) -> int:
        return len(self._figures)

    def add(
        self, track_ids: Tensor, labels: Tensor, scores: Tensor, class_scores: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Add the next frame, tensors (N,) and (N, K) on the CPU; return the tracks' labels and scores so far, (N,)."""
        self._num_frames += 1
        seen = []
        rows = zip(track_ids.tolist(), labels.tolist(), scores.tolist(), strict=True)
        for row, (track_id, label, score) in enumerate(rows):
            figures = self._figures.pop(track_id, None) or _Figures(label)
            figures.add(label, score, None if class_scores is None else class_scores[row])
            self._figures[track_id] = figures
            seen.append(figures)
        while len(self._figures) > max(self._most, len(seen)):
            del self._figures[next(iter(self._figures))]
        best = [self._best(figures) for figures in seen]
        return torch.tensor([label for label, _ in best], dtype=torch.int64), torch.tensor([score for _, score in best])

    def _best(self, figures: _Figures) -> tuple[int, float]:
        """Return label and score of a track so far."""
        return self._ranking.classes(
            label=figures.label,
            score=figures.score_sum / figures.count,
            seen=figures.count,
            num_frames=self._num_frames,
            means=figures.by_class.means(),
        )[0]
