"""What assigners share: the best points of every object in slots of fixed number, and the Assignment made of them.

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
    """Choose for every object and level the `per_level` points that score highest of those it is the closest object of.

    score and closest (B, P). Returns the slots (B, G, A) of point indices and whether each is taken (B, G, A).
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
    """Return (B, P) bool: the point stands in some valid slot."""
    marks = torch.zeros(len(slots), num_points + 1, dtype=torch.bool, device=slots.device)
    marks.scatter_(1, torch.where(slot_valid, slots, num_points).flatten(1), True)  # invalid ones mark an extra point
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
    """Make positives of the eligible slots (B, G, A) whose point is in an object's box.

    Negative is every other point (of `may_be_negative` (B, P), if given) but those in a crowd region and no object.
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
