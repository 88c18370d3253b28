"""What is known of each track while its video runs: its class by vote and its mean score so far (MODEL.md 8).

A frame costs the same however long the video is. At the end the figures are those of `TrackTube`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

MOST_TRACKS = 10_000  # remembered; a tracker knows the 500 seen last


@dataclass(slots=True)
class _Figures:
    label: int  # the most frequent one, of equal ones the smallest
    votes: dict[int, int] = field(default_factory=dict)  # by label
    score_sum: float = 0.0
    count: int = 0  # frames that show the track

    def add(self, label: int, score: float) -> None:
        own = self.votes[label] = self.votes.get(label, 0) + 1
        most = self.votes.get(self.label, 0)
        if own > most or (own == most and label < self.label):  # only this label's count has changed
            self.label = label
        self.score_sum += score
        self.count += 1


class RunningTracks:
    """The figures of the tracks of one video. Beyond `most` the tracks seen longest ago are forgotten."""

    def __init__(self, most: int = MOST_TRACKS) -> None:
        self._most = most
        self._figures: dict[int, _Figures] = {}  # by track id, the one seen last at the end

    def __len__(self) -> int:
        return len(self._figures)

    def add(self, track_ids: Tensor, labels: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Add the next frame, three tensors (N,) on the CPU; return the tracks' labels and mean scores so far."""
        seen = []
        for track_id, label, score in zip(track_ids.tolist(), labels.tolist(), scores.tolist(), strict=True):
            figures = self._figures.pop(track_id, None) or _Figures(label)
            figures.add(label, score)
            self._figures[track_id] = figures
            seen.append(figures)
        while len(self._figures) > max(self._most, len(seen)):
            del self._figures[next(iter(self._figures))]
        means = [figures.score_sum / figures.count for figures in seen]
        return torch.tensor([figures.label for figures in seen], dtype=torch.int64), torch.tensor(means)
