"""Join the tracks of a finished video that are one object: lost and found under another id, or tracked in two parts.

A stream must give every detection an id at once; when the video is over, two tracks can be compared by all that was
seen of them. How the settings were found, and what did not pay: docs/logs/2026-11-27-offline-pass.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco_mask

from mmdet.structures import RLE
from mmdet.tracking.state import Array

_NEVER = -1.0  # likeness of tracks that are not to be joined


@dataclass(frozen=True, slots=True)
class Seen:
    """All that was seen of one track."""

    masks: Mapping[int, RLE]  # by frame
    look: Array  # (E,) embeddings of length 1, times their scores, added up
    classes: Array  # (K,) scores of every class, at least 0, added up


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """Joins tracks two by two, those that are most alike first.

    `class_weight`: of the agreement of class scores, beside the cosine of looks
    `least`: two tracks are alike from this share on of what look and class can give together
    `frames_apart`: two tracks that are seen beside each other in more frames than that are two objects
    `same_iou`: in a frame in which their masks overlap so much they are not beside each other, but parts of one object
    """

    class_weight: float = 1.0
    least: float = 0.5
    frames_apart: int = 3
    same_iou: float = 0.1

    def groups(self, tracks: Sequence[Seen]) -> list[tuple[int, ...]]:
        """Return the positions of the tracks of each object, ascending, in order of the first ones."""
        if len(tracks) < 2:
            return [(place,) for place in range(len(tracks))]
        width = max(len(track.classes) for track in tracks)
        looks = np.stack([track.look for track in tracks])
        classes = np.stack([np.pad(track.classes, (0, width - len(track.classes))) for track in tracks])
        members = {place: [place] for place in range(len(tracks))}  # by the place that stands for them
        likeness = np.stack([self._likeness(looks, classes, place) for place in members])
        while True:
            i, j = (int(place) for place in np.unravel_index(likeness.argmax(), likeness.shape))
            if likeness[i, j] < max(self.least, 0.0):
                return sorted(tuple(sorted(own)) for own in members.values())
            if self._are_apart([tracks[m].masks for m in members[i]], [tracks[m].masks for m in members[j]]):
                likeness[i, j] = likeness[j, i] = _NEVER
                continue
            members[i] += members.pop(j)
            looks[i] += looks[j]
            classes[i] += classes[j]
            likeness[i] = self._likeness(looks, classes, i)
            gone = [place for place in range(len(tracks)) if place not in members]
            likeness[gone] = likeness[:, gone] = likeness[i, gone] = _NEVER
            likeness[:, i] = likeness[i]

    def _likeness(self, looks: Array, classes: Array, place: int) -> Array:
        """Return how much each track is like one of them, (N,), in shares of what look and class can give."""
        cosines = _units(looks) @ _units(looks[place : place + 1])[0]
        agreement = _shares(classes) @ _shares(classes[place : place + 1])[0]
        likeness: Array = (cosines + self.class_weight * agreement) / (1 + self.class_weight)
        likeness = np.nan_to_num(likeness, nan=_NEVER)
        likeness[place] = _NEVER
        return likeness

    def _are_apart(self, one: Sequence[Mapping[int, RLE]], other: Sequence[Mapping[int, RLE]]) -> bool:
        """Return whether two objects, each of one or more tracks, are beside each other in too many frames."""
        apart = 0
        for frame in set[int]().union(*one) & set[int]().union(*other):
            first, second = ([masks[frame] for masks in own if frame in masks] for own in (one, other))
            apart += float(coco_mask.iou(first, second, [0] * len(second)).max()) < self.same_iou
            if apart > self.frames_apart:
                return True
        return False


def _units(rows: Array) -> Array:
    """Scale rows to length 1."""
    units: Array = rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-9)
    return units


def _shares(rows: Array) -> Array:
    """Scale rows to a sum of 1."""
    shares: Array = rows / rows.sum(axis=1, keepdims=True).clip(1e-9)
    return shares
