"""Everything that lives across the frames of one video: its known tracks. Immutable; a step returns a new one.

Knows nothing of how detections are matched.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackState:
    """M known tracks of one video. Ids are counters: they are never given again, whatever is forgotten."""

    track_ids: Tensor  # (M,) int64
    embeddings: Tensor  # (M, E) of length 1, as last seen
    boxes: Tensor  # (M, 4) original pixels, where last seen
    labels: Tensor  # (M,) int64, as first seen (Q15)
    last_seen: Tensor  # (M,) int64 frame number
    next_id: int
    frame: int  # number of frames seen

    def __len__(self) -> int:
        return len(self.track_ids)

    def most_recent(self, count: int) -> TrackState:
        """Return the state with at most the `count` tracks seen last, in their order; of equal ones the newer stay."""
        if len(self) <= count:
            return self
        kept = torch.argsort(self.last_seen, stable=True)[-count:].sort().values
        return replace(
            self,
            track_ids=self.track_ids[kept],
            embeddings=self.embeddings[kept],
            boxes=self.boxes[kept],
            labels=self.labels[kept],
            last_seen=self.last_seen[kept],
        )

    @staticmethod
    def empty(device: torch.device | str = "cpu") -> TrackState:
        """Return the state before a video's first frame."""
        return TrackState(
            track_ids=torch.zeros(0, dtype=torch.int64, device=device),
            embeddings=torch.zeros(0, 0, device=device),
            boxes=torch.zeros(0, 4, device=device),
            labels=torch.zeros(0, dtype=torch.int64, device=device),
            last_seen=torch.zeros(0, dtype=torch.int64, device=device),
            next_id=0,
            frame=0,
        )
