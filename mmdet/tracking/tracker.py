"""The tracker: match the detections of a frame to known tracks, give birth to new ones, forget those unseen longest.

Source: MODEL.md 7.7 and 7.8. All that lives across frames is the `TrackState`; a tracker itself holds settings only,
so one tracker serves any number of videos at once. A step is a few numbers: fastest on the CPU, wherever the detections
come from. Knows nothing of images or models.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from mmdet.config import UserError, near
from mmdet.registry import TRACKERS
from mmdet.structures import FrameDetections, FrameObjects, FrameTracks
from mmdet.tracking.affinity import affinity
from mmdet.tracking.matching import DROPPED, MATCHINGS, NEW
from mmdet.tracking.state import TrackState


@TRACKERS.register_module()
class Tracker:
    """`matching`: "greedy", the release's rule, or "one_to_one". The weights are those of `comprehensive_scores`.

    At most `max_tracks` are remembered; beyond it the tracks seen longest ago are forgotten, their ids never return.
    """

    def __init__(
        self,
        matching: str = "greedy",
        max_tracks: int = 500,
        temperature: float = 0.1,
        score_weight: float = 1.0,
        iou_weight: float = 2.0,
        label_weight: float = 10.0,
    ) -> None:
        if matching not in MATCHINGS:
            raise UserError(f"Tracker: unknown matching {matching!r}; {near(matching, list(MATCHINGS))}")
        if max_tracks < 1:
            raise UserError(f"Tracker: max_tracks is {max_tracks}, at least one track must be remembered")
        self.choose = MATCHINGS[matching]
        self.max_tracks, self.temperature = max_tracks, temperature
        self.weights = (score_weight, iou_weight, label_weight)

    def start(self, device: torch.device | str = "cpu") -> TrackState:
        """Return the state before a video's first frame."""
        return TrackState.empty(device)

    def assign(self, state: TrackState, objects: FrameObjects) -> tuple[TrackState, Tensor]:
        """Return the next state and raw ids (N,): -1 is dropped, an id may occur twice (MODEL.md 7.8)."""
        if len(objects) == 0:
            return replace(state, frame=state.frame + 1), objects.labels[:0]
        objects = replace(objects, embeddings=F.normalize(objects.embeddings, dim=1))
        if len(state) == 0:
            return self._update(state, objects, [NEW] * len(objects), [])
        scores = affinity(objects, state, self.temperature, self.weights)
        return self._update(state, objects, *self.choose(scores.cpu()))

    def step(self, state: TrackState, detections: FrameDetections) -> tuple[TrackState, FrameTracks]:
        """Return the next state and the frame's tracks: of equal ids the later stands, dropped ones are left out."""
        state, ids = self.assign(state, detections)
        rows = torch.tensor(standing(ids), dtype=torch.int64, device=ids.device)
        return state, FrameTracks.from_detections(detections[rows], ids[rows])

    def _update(
        self, state: TrackState, objects: FrameObjects, choices: list[int], writers: list[int]
    ) -> tuple[TrackState, Tensor]:
        """Name the objects, let the writers' tracks take over what was seen, and append the new tracks."""
        old_ids = state.track_ids.tolist()
        new_ids = iter(range(state.next_id, state.next_id + len(choices)))
        raw = [DROPPED if c == DROPPED else next(new_ids) if c == NEW else old_ids[c - 1] for c in choices]

        device = objects.boxes.device
        ids = torch.tensor(raw, dtype=torch.int64, device=device)
        seen_now = torch.full_like(ids, state.frame)
        new = torch.tensor([row for row, c in enumerate(choices) if c == NEW], dtype=torch.int64, device=device)
        source = torch.tensor(writers, dtype=torch.int64, device=device)
        target = torch.tensor([choices[row] - 1 for row in writers], dtype=torch.int64, device=device)

        def grown(known: Tensor, seen: Tensor) -> Tensor:
            return torch.cat([known, seen[new]]) if len(new) else known

        def merged(known: Tensor, seen: Tensor) -> Tensor:
            return grown(known.index_copy(0, target, seen[source]) if writers else known, seen)

        after = TrackState(
            track_ids=grown(state.track_ids, ids),
            embeddings=merged(state.embeddings if len(state) else objects.embeddings[:0], objects.embeddings),
            boxes=merged(state.boxes, objects.boxes),
            labels=grown(state.labels, objects.labels),  # a label never changes (Q15)
            last_seen=merged(state.last_seen, seen_now),
            next_id=state.next_id + len(new),
            frame=state.frame + 1,
        )
        return after.most_recent(self.max_tracks), ids


def standing(ids: Tensor) -> list[int]:
    """Return the rows of raw ids (N,) that a frame shows: of equal ids the last one, and none that was dropped."""
    return sorted({track_id: row for row, track_id in enumerate(ids.tolist()) if track_id != DROPPED}.values())
