"""Everything that lives across the frames of one video: its known tracks. Immutable; a step returns a new one.

Knows nothing of how detections are matched.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackState:
    """M known tracks of one video. Ids are counters: they are never given again, whatever is forgotten."""

    track_ids: Tensor  # (M,) int64
    embeddings: Tensor  # (M, E)
    boxes: Tensor  # (M, 4) original pixels, where last seen
    labels: Tensor  # (M,) int64, as first seen (Q15)
    last_seen: Tensor  # (M,) int64 frame number
    next_id: int
    frame: int  # number of frames seen

    def __len__(self) -> int:
        return len(self.track_ids)

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
