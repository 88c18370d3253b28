"""A tracker: ids for the detections of a frame. Here by overlap with the frame before, best scores first."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mmdet.config.ranges import Fraction
from mmdet.ops.boxes import pairwise_iou
from mmdet.registry import TRACKERS
from mmdet.structures import FrameObjects


@dataclass(frozen=True)
class LastFrame:
    """The state of one video; a tracker itself keeps nothing."""

    boxes: Tensor  # (M, 4) xyxy
    track_ids: tuple[int, ...]
    next_id: int  # ids count up and are never given again


@TRACKERS.register_module()
class OverlapTracker:
    """An object goes on with the track that it overlaps by at least `overlap`, or starts a new one."""

    def __init__(self, overlap: Fraction = 0.3) -> None:
        self.overlap = overlap

    def start(self) -> LastFrame:
        """Return the state before a video's first frame."""
        return LastFrame(torch.zeros(0, 4), (), 0)

    def assign(self, state: LastFrame, objects: FrameObjects) -> tuple[LastFrame, Tensor]:
        """Return the next state and an id for every object (N,); -1 would drop it."""
        overlaps = pairwise_iou(objects.boxes.cpu(), state.boxes)
        free, next_id, ids = dict(enumerate(state.track_ids)), state.next_id, list[int]()
        for row in overlaps.tolist():  # highest score first
            best = max(free, key=row.__getitem__, default=None)
            if best is not None and row[best] >= self.overlap:
                ids.append(free.pop(best))
            else:
                ids.append(next_id)
                next_id += 1
        return LastFrame(objects.boxes.cpu(), tuple(ids), next_id), torch.tensor(ids, dtype=torch.int64)
