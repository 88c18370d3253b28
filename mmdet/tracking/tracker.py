"""The tracker: match the detections of a frame to known tracks, start new tracks, and forget the tracks unseen longest.

Source: MODEL.md 7.7 and 7.8; BASELINES.md 1.4. Only the `TrackState` is kept across frames; a tracker holds settings,
so one tracker serves any number of videos at once. A step works on few numbers, which is fastest on the CPU, whatever
device the detections come from.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mmdet.config.ranges import Count, Positive
from mmdet.errors import UserError, suggestion
from mmdet.registry import TRACKERS
from mmdet.structures import FrameObjects, Ranking
from mmdet.tracking.affinity import affinity as track_affinity
from mmdet.tracking.matching import DROPPED, MATCHINGS, NEW
from mmdet.tracking.state import Array, TrackState

TEMPERATURES = {"cosine": 0.1, "inner_product": 1.0}


@TRACKERS.register_module()
class Tracker:
    """`matching`: "greedy", the release's rule, or "one_to_one". The weights are those of `comprehensive_scores`.

    `affinity`: how embeddings are compared: "cosine" (MemCNP-VIS), or "inner_product" of embeddings as they are
    (SipMask-VIS, MaskTrack R-CNN). `temperature` divides it; None: 0.1 for cosines, 1 for inner products.
    At most `max_tracks` are remembered; beyond that the tracks seen longest ago are forgotten and their ids are never
    used again.
    """

    ranking = Ranking()  # classes by vote

    def __init__(
        self,
        matching: Literal["greedy", "one_to_one"] = "greedy",
        max_tracks: Count = 500,
        temperature: Positive | None = None,
        score_weight: float = 1.0,
        iou_weight: float = 2.0,
        label_weight: float = 10.0,
        affinity: Literal["cosine", "inner_product"] = "cosine",
    ) -> None:
        if matching not in MATCHINGS:
            raise UserError(f"Tracker: unknown matching {matching!r}; {suggestion(matching, list(MATCHINGS))}")
        if max_tracks < 1:
            raise UserError(f"Tracker: max_tracks is {max_tracks}, at least one track must be remembered")
        if affinity not in TEMPERATURES:
            raise UserError(f"Tracker: unknown affinity {affinity!r}; {suggestion(affinity, list(TEMPERATURES))}")
        self.choose = MATCHINGS[matching]
        self.max_tracks, self.by_cosine = max_tracks, affinity == "cosine"
        self.temperature = TEMPERATURES[affinity] if temperature is None else temperature
        self.weights = (score_weight, iou_weight, label_weight)

    def start(self) -> TrackState:
        """Return the state before a video's first frame."""
        return TrackState.empty()

    def assign(self, state: TrackState, objects: FrameObjects) -> tuple[TrackState, Tensor]:
        """Return the next state and raw ids (N,): -1 means dropped, and an id may occur twice (MODEL.md 7.8)."""
        if len(objects) == 0:
            return replace(state, frame=state.frame + 1), objects.labels[:0]
        embeddings = objects.embeddings.detach().cpu()
        if self.by_cosine:
            embeddings = F.normalize(embeddings, dim=1)
        boxes, labels = objects.boxes.numpy(force=True), objects.labels.numpy(force=True)
        choices, writers = [NEW] * len(boxes), list[int]()
        if len(state):
            scores = objects.scores.detach().cpu()
            choices, writers = self.choose(
                track_affinity(embeddings, boxes, labels, scores, state, self.temperature, self.weights)
            )
        state, ids = self._update(state, embeddings.numpy(), boxes, labels, choices, writers)
        return state, torch.tensor(ids, dtype=torch.int64, device=objects.boxes.device)

    def _update(
        self, state: TrackState, embeddings: Array, boxes: Array, labels: Array, choices: list[int], writers: list[int]
    ) -> tuple[TrackState, list[int]]:
        """Turn choices into ids, update the tracks of the `writers` detections, and append new tracks."""
        old_ids = state.track_ids.tolist()
        new_ids = iter(range(state.next_id, state.next_id + len(choices)))
        ids = [DROPPED if c == DROPPED else next(new_ids) if c == NEW else old_ids[c - 1] for c in choices]
        new = [row for row, choice in enumerate(choices) if choice == NEW]
        target = [choices[row] - 1 for row in writers]

        def grown(known: Array, seen: Array) -> Array:
            return np.concatenate([known, seen[new]]) if new else known

        def merged(known: Array, seen: Array) -> Array:
            known = known.copy()
            known[target] = seen[writers]
            return grown(known, seen)

        seen_now = np.full(len(choices), state.frame, np.int64)
        after = TrackState(
            track_ids=grown(state.track_ids, np.array(ids, np.int64)),
            embeddings=merged(state.embeddings, embeddings) if len(state) else embeddings[new],
            boxes=merged(state.boxes, boxes),
            labels=grown(state.labels, labels),  # a label never changes (Q15)
            last_seen=merged(state.last_seen, seen_now),
            next_id=state.next_id + len(new),
            frame=state.frame + 1,
        )
        return after.most_recent(self.max_tracks), ids


def kept_rows(ids: Tensor) -> list[int]:
    """Return the rows of raw ids (N,) that a frame shows: of equal ids the last, and no dropped ones."""
    return sorted({track_id: row for row, track_id in enumerate(ids.tolist()) if track_id != DROPPED}.values())
