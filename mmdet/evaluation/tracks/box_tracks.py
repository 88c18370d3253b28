"""IoU of tracks by their boxes: the sum of intersections over the sum of unions, as in `mask_tracks.py` for masks.

Boxes are continuous: x, y, width, height cover width * height. The official evaluators have no working box figures, so
the rules for masks apply.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from mmdet.errors import shown
from mmdet.evaluation.tracks.mask_tracks import MaskTrack, area_sums
from mmdet.fileio.results.result_file import is_finite_number

_SIDES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxTrack:
    """The boxes of one object, (T, 4) x1, y1, x2, y2; zeros in frames where it is not seen."""

    boxes: NDArray[np.float64]

    @property
    def areas(self) -> NDArray[np.float64]:
        """Width times height, (T,), 0 in frames where it is not seen."""
        sides: NDArray[np.float64] = self.boxes[:, 2:] - self.boxes[:, :2]
        return sides[:, 0] * sides[:, 1]

    @property
    def mean_area(self) -> float:
        """Mean area over the frames that show the object, 0 if none does."""
        areas = self.areas
        shown = int(np.count_nonzero(areas))
        return float(areas.sum()) / shown if shown else 0.0


def read_box_track(boxes: Sequence[Any], is_xyxy: bool) -> BoxTrack:
    """Read a track's boxes, one per frame (null if not seen): x, y, width, height, or x1, y1, x2, y2.

    Raises ValueError that names the frame for a value that is not a box.
    """
    track = np.zeros((len(boxes), _SIDES))
    for frame, box in enumerate(boxes):
        if not box:
            continue
        if not isinstance(box, list | tuple) or len(box) != _SIDES or not all(is_finite_number(side) for side in box):
            raise ValueError(f"frame {frame}: a box is four numbers or null, got {shown(box)}")
        x, y, right, bottom = map(float, box)
        track[frame] = (x, y, right, bottom) if is_xyxy else (x, y, x + right, y + bottom)
        if track[frame, 2] < track[frame, 0] or track[frame, 3] < track[frame, 1]:
            kind = "x1, y1, x2, y2" if is_xyxy else "x, y, width, height"
            raise ValueError(f"frame {frame}: the box {kind} = {shown(box)} has a negative side")
    return BoxTrack(boxes=track)


def box_track_of(masks: MaskTrack) -> BoxTrack:
    """Return the boxes around the masks of a track."""
    track = np.zeros((len(masks.masks), _SIDES))
    shown = np.flatnonzero(masks.areas)
    if len(shown):
        boxes = coco_mask.toBbox([masks.video.rles[mask] for mask in masks.masks[shown].tolist()])
        track[shown] = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    return BoxTrack(boxes=track)


def box_ious(results: Sequence[BoxTrack], truths: Sequence[BoxTrack]) -> NDArray[np.float64]:
    """Return the IoU of all pairs, (D, G); if lengths differ, the rest of the longer track is left out."""
    ious = np.zeros((len(results), len(truths)))
    if not results or not truths:
        return ious
    sums = area_sums([track.areas for track in results], [track.areas for track in truths])
    for row, result in enumerate(results):
        for column, truth in enumerate(truths):
            a, b = (track.boxes[: min(len(result.boxes), len(truth.boxes))] for track in (result, truth))
            sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
            common = float(np.prod(sides.clip(0), axis=1).sum())
            union = float(sums[row, column]) - common
            ious[row, column] = common / union if union > 0 else 0.0
    return ious
