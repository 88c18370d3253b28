"""The state kept across the frames of one video: its known tracks. It is immutable; a step returns a new one.

It is in numpy on the host: with so few numbers call overhead dominates, and numpy's is several times smaller than
torch's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdet.structures.short_text import ShortText

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TrackState(ShortText):
    """M known tracks of one video. Ids are counters: an id is never used again, even after its track is forgotten."""

    track_ids: Array  # (M,) int64
    embeddings: Array  # (M, E) float32, as last seen; of length 1 where cosines are compared
    boxes: Array  # (M, 4) float32, original pixels, as last seen
    labels: Array  # (M,) int64, as first seen (Q15)
    last_seen: Array  # (M,) int64 frame number
    next_id: int
    frame: int  # number of frames seen

    def __len__(self) -> int:
        return len(self.track_ids)

    def most_recent(self, count: int) -> TrackState:
        """Return the state with at most the `count` tracks seen last, in their order.

        Of tracks seen equally long ago the newer stay.
        """
        if len(self) <= count:
            return self
        kept = np.sort(np.argsort(self.last_seen, kind="stable")[-count:])
        return replace(
            self,
            track_ids=self.track_ids[kept],
            embeddings=self.embeddings[kept],
            boxes=self.boxes[kept],
            labels=self.labels[kept],
            last_seen=self.last_seen[kept],
        )

    @staticmethod
    def empty() -> TrackState:
        """Return the state before a video's first frame."""
        return TrackState(
            track_ids=np.zeros(0, np.int64),
            embeddings=np.zeros((0, 0), np.float32),
            boxes=np.zeros((0, 4), np.float32),
            labels=np.zeros(0, np.int64),
            last_seen=np.zeros(0, np.int64),
            next_id=0,
            frame=0,
        )
