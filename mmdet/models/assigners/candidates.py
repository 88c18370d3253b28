"""Shared by the assigners: the best points of every object in a fixed number of slots, and the Assignment from them.

Source: MODEL.md 6 ("Assigner") and 10 (points in crowd regions).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mmdet.models.assigners.targets import inside_boxes
from mmdet.ops.sampling import rows_at
from mmdet.structures import Assignment, PaddedTruth, PointGrid


def best_points(
    score: Tensor, closest: Tensor, num_objects: int, level_counts: Sequence[int], per_level: int
) -> tuple[Tensor, Tensor]:
    """Choose for every object and level the `per_level` points with the highest score, among the points closest to it.

    score and closest (B, P). Returns the slots (B, G, A) with point indices and whether each slot is filled (B, G, A).
    """
    slots, taken, start = [], [], 0
    objects = torch.arange(num_objects, device=closest.device).unsqueeze(1)
    for count in level_counts:
        level = slice(start, start + count)
        own = torch.where(closest[:, level].unsqueeze(1) == objects, score[:, level].unsqueeze(1), -torch.inf)
        best = own.topk(min(per_level, count), dim=2)
        slots.append(best.indices + start)
        taken.append(best.values > -torch.inf)
        start += count
    return torch.cat(slots, dim=2), torch.cat(taken, dim=2)


def points_in(slots: Tensor, slot_valid: Tensor, num_points: int) -> Tensor:
    """Return (B, P) bool: whether the point is in a valid slot."""
    marks = torch.zeros(len(slots), num_points + 1, dtype=torch.bool, device=slots.device)
    marks.scatter_(1, torch.where(slot_valid, slots, num_points).flatten(1), True)  # invalid slots mark an extra point
    return marks[:, :num_points]


def make_assignment(
    points: PointGrid,
    truth: PaddedTruth,
    closest: Tensor,
    centerness: Tensor,
    slots: Tensor,
    eligible: Tensor,
    may_be_negative: Tensor | None = None,
) -> Assignment:
    """Return the Assignment whose positives are the eligible slots (B, G, A) with a point inside of an object's box.

    All other points are negative, except those in a crowd region and in no object.

    `points`, `truth`: the points of the input, and the objects of the batch
    `closest`, `centerness`: per point (B, P) the nearest object and the centerness target
    `slots`, `eligible`: per object (B, G, A) the candidate points, and whether each may become positive
    `may_be_negative`: (B, P) bool, only these points may become negative; None: all
    """
    in_box = inside_boxes(points, truth.boxes, truth.valid).any(dim=1)
    in_crowd = inside_boxes(points, truth.boxes, truth.is_crowd).any(dim=1)
    slot_valid = eligible & rows_at(in_box, slots) & truth.valid.unsqueeze(2)
    positive = points_in(slots, slot_valid, len(points.xy))
    negative = ~positive & ~(in_crowd & ~in_box)
    return Assignment(
        slots=slots,
        slot_valid=slot_valid,
        positive=positive,
        negative=negative if may_be_negative is None else negative & may_be_negative,
        in_box=in_box,
        closest=closest,
        centerness=centerness,
    )
