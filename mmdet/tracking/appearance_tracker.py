"""A tracker that goes by how an object looked in all frames so far, what class it seems to be, and where it was going.

Objects come back under their old ids after any gap: appearance and class decide, and boxes only add to it while a track
was seen just now. Matching is one-to-one. Detections must not repeat an object (see DynamicPostProcess). Ideas: memory
of several looks (Pang et al., QDTrack, 2021), motion (Bewley et al., SORT, 2016).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from mmdet.config.ranges import Amount, Count, Fraction
from mmdet.registry import TRACKERS
from mmdet.structures import FrameObjects, Ranking
from mmdet.structures.short_text import ShortText
from mmdet.tracking.affinity import legacy_iou
from mmdet.tracking.joining import Joining
from mmdet.tracking.matching import DROPPED
from mmdet.tracking.state import Array

BOX_FRAMES = 2  # a box counts for tracks seen at most so many frames ago
LEAST_OVERLAP = 0.5  # IoU from which on place alone lets a detection continue a track


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LookState(ShortText):
    """M known tracks of one video. Ids are counters: an id is never used again."""

    track_ids: Array  # (M,) int64
    looks: Array  # (M, E) float32: running mean of embeddings of length 1
    class_sums: Array  # (M, K) float32: class scores added up over frames
    boxes: Array  # (M, 4) float32, original pixels, as last seen
    motion: Array  # (M, 4) float32: change of the box from one frame to the next, 0 where not known
    last_seen: Array  # (M,) int64 frame number
    next_id: int
    frame: int  # number of frames seen

    def __len__(self) -> int:
        return len(self.track_ids)

    def rows(self, kept: Array) -> LookState:
        """Return the state with some of its tracks."""
        names = ("track_ids", "looks", "class_sums", "boxes", "motion", "last_seen")
        return replace(self, **{name: getattr(self, name)[kept] for name in names})


@TRACKERS.register_module()
class AppearanceTracker:
    """Matches the detections of a frame to known tracks by appearance, class and predicted place.

    `look_weight`, `class_weight`, `box_weight`: of the cosine to the track's looks, of the agreement of class scores,
        and of the IoU with the box where the track should be now
    `least`: a match needs this share of what look and class can give together
    `least_look`: it also needs this cosine, or an IoU of LEAST_OVERLAP with the box where the track should be now, so
        that a newcomer of the same class does not take the id of one that has left
    `keep_look`: share of its looks that a track keeps when it is seen
    `birth_score`: least score of a detection that starts a track; worse ones only continue tracks
    `label_share`, `sure_after`: see Ranking
    `max_tracks`: beyond it the tracks seen longest ago are forgotten
    """

    joining = Joining()  # how tracks of a finished video may be joined

    def __init__(
        self,
        look_weight: Amount = 1.0,
        class_weight: Amount = 1.0,
        box_weight: Amount = 0.5,
        least: Fraction = 0.4,
        least_look: Fraction = 0.5,
        keep_look: Fraction = 0.8,
        birth_score: Fraction = 0.0,
        label_share: Fraction = 0.1,
        sure_after: Count = 5,
        max_tracks: Count = 500,
    ) -> None:
        self.look_weight, self.class_weight, self.box_weight = look_weight, class_weight, box_weight
        self.least, self.least_look, self.keep_look = least, least_look, keep_look
        self.birth_score, self.max_tracks = birth_score, max_tracks
        self.ranking = Ranking(label_share=label_share, sure_after=sure_after)

    def start(self) -> LookState:
        """Return the state before a video's first frame."""
        none = np.zeros((0, 0), np.float32)
        return LookState(
            track_ids=np.zeros(0, np.int64),
            looks=none,
            class_sums=none,
            boxes=np.zeros((0, 4), np.float32),
            motion=np.zeros((0, 4), np.float32),
            last_seen=np.zeros(0, np.int64),
            next_id=0,
            frame=0,
        )

    def assign(self, state: LookState, objects: FrameObjects) -> tuple[LookState, Tensor]:
        """Return the next state and ids (N,): -1 for a detection that neither continues nor starts a track."""
        count = len(objects)
        ids = np.full(count, DROPPED, np.int64)
        if count == 0:
            return replace(state, frame=state.frame + 1), objects.labels[:0]
        looks = torch.nn.functional.normalize(objects.embeddings.detach().float().cpu(), dim=1).numpy()
        boxes, classes = objects.boxes.numpy(force=True), _class_scores(objects)
        width = max(classes.shape[1], state.class_sums.shape[1])
        classes, state = _widened(classes, width), replace(state, class_sums=_widened(state.class_sums, width))
        rows, tracks = self._match(state, looks, boxes, classes)
        ids[rows] = state.track_ids[tracks]
        unmatched = np.setdiff1d(np.arange(count), rows)
        new = unmatched[objects.scores.numpy(force=True)[unmatched] >= self.birth_score]
        ids[new] = np.arange(state.next_id, state.next_id + len(new))
        state = self._seen(state, tracks, looks[rows], boxes[rows], classes[rows])
        state = self._born(state, ids[new], looks[new], boxes[new], classes[new])
        return replace(state, frame=state.frame + 1), torch.from_numpy(ids).to(objects.boxes.device)

    def gain(self, state: LookState, looks: Array, boxes: Array, classes: Array) -> Array:
        """Return (N, M): how much better each detection fits each track than a match needs, below 0 if it does not."""
        known = state.looks / np.linalg.norm(state.looks, axis=1, keepdims=True).clip(1e-9)
        cosines = looks @ known.T
        agreement = _shares(classes) @ _shares(state.class_sums).T
        ago = state.frame - state.last_seen
        overlap = legacy_iou(boxes, state.boxes + state.motion * ago[:, None]) * (ago <= BOX_FRAMES)
        fit = self.look_weight * cosines + self.class_weight * agreement + self.box_weight * overlap
        needed = self.least * (self.look_weight + self.class_weight)
        may_match = (cosines >= self.least_look) | (overlap >= LEAST_OVERLAP)
        gains: Array = np.where(may_match, np.nan_to_num(fit - needed, nan=-1.0), -1.0)
        return gains

    def _match(self, state: LookState, looks: Array, boxes: Array, classes: Array) -> tuple[Array, Array]:
        """Return the rows of detections and of tracks that belong together."""
        if not len(state):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        gain = self.gain(state, looks, boxes, classes)
        # pairs that will not match count nothing, so that they do not pull others apart
        rows, tracks = linear_sum_assignment(gain.clip(0), maximize=True)
        good = gain[rows, tracks] >= 0
        return rows[good], tracks[good]

    def _seen(self, state: LookState, tracks: Array, looks: Array, boxes: Array, classes: Array) -> LookState:
        """Update the tracks that are seen in this frame."""
        if not len(tracks):
            return state
        known = {name: getattr(state, name).copy() for name in ("looks", "class_sums", "boxes", "motion", "last_seen")}
        just_now = state.last_seen[tracks] == state.frame - 1
        known["motion"][tracks] = np.where(just_now[:, None], boxes - state.boxes[tracks], 0)
        known["looks"][tracks] = self.keep_look * state.looks[tracks] + (1 - self.keep_look) * looks
        known["class_sums"][tracks] += classes
        known["boxes"][tracks], known["last_seen"][tracks] = boxes, state.frame
        return replace(state, **known)

    def _born(self, state: LookState, ids: Array, looks: Array, boxes: Array, classes: Array) -> LookState:
        """Add new tracks, and forget those seen longest ago if there are too many."""
        if not len(ids):
            return state

        def grown(known: Array, new: Array) -> Array:
            return np.concatenate([known, new]) if len(known) else new

        state = replace(
            state,
            track_ids=grown(state.track_ids, ids),
            looks=grown(state.looks, looks),
            class_sums=grown(state.class_sums, classes),
            boxes=grown(state.boxes, boxes),
            motion=grown(state.motion, np.zeros_like(boxes)),
            last_seen=grown(state.last_seen, np.full(len(ids), state.frame, np.int64)),
            next_id=state.next_id + len(ids),
        )
        if len(state) <= self.max_tracks:
            return state
        return state.rows(np.sort(np.argsort(state.last_seen, kind="stable")[-self.max_tracks :]))


def _class_scores(objects: FrameObjects) -> Array:
    """Return (N, K): the score of every class, where the model gives none that of the label alone."""
    if objects.class_scores is not None:
        return objects.class_scores.float().numpy(force=True)
    labels = objects.labels.numpy(force=True)
    scores = np.zeros((len(labels), int(labels.max(initial=0)) + 1), np.float32)
    scores[np.arange(len(labels)), labels] = objects.scores.numpy(force=True)
    return scores


def _widened(scores: Array, width: int) -> Array:
    """Add columns of zeros: single labels do not say how many classes there are."""
    return np.pad(scores, ((0, 0), (0, width - scores.shape[1])))


def _shares(scores: Array) -> Array:
    """Scale rows to a sum of 1."""
    shares: Array = scores / scores.sum(axis=1, keepdims=True).clip(1e-9)
    return shares
