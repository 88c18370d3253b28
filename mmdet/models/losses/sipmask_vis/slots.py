"""The points that learn masks and tracks of SipMask-VIS, in slots whose number does not depend on the data.

Source: BASELINES.md 2.2 and 2.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mmdet.ops.boxes import aligned_iou, area
from mmdet.ops.sampling import rows_at
from mmdet.structures.dense_outputs import DenseOutputs, RangeAssignment
from mmdet.structures.head_outputs import BASIS_STRIDE
from mmdet.structures.padded_truth import PaddedTruth

MIN_AREA = 1  # half pixels squared: smaller predicted boxes learn neither mask nor track (BASELINES.md 2.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """(B, S) slots, as many for each object of the truth. Boxes are predicted ones, detached, in half pixels."""

    points: Tensor  # (B, S) int64
    owner: Tensor  # (B, S) int64: row of the truth
    boxes: Tensor  # (B, S, 4)
    kept: Tensor  # (B, S) bool: a positive whose box is large enough, or inverted both ways (B3)
    quality: Tensor  # (B, S): probability of the object's class times overlap of the boxes; 0 where not kept

    @staticmethod
    def make(outputs: DenseOutputs, truth: PaddedTruth, assignment: RangeAssignment, most: int) -> Slots:
        """Read predictions at the positives, of which no object has more than `most`."""
        rows = torch.arange(truth.valid.shape[1], device=truth.valid.device)
        owned = (assignment.owner[:, None] == rows[:, None]) & assignment.positive[:, None]  # (B, G, P)
        found, points = owned.int().topk(min(most, owned.shape[2]), dim=2)
        owner = rows[:, None].expand_as(points).flatten(1)
        points, valid = points.flatten(1), found.flatten(1) > 0
        boxes = rows_at(outputs.boxes.detach(), points) / BASIS_STRIDE
        kept = valid & (area(boxes) > MIN_AREA)
        logits = rows_at(outputs.cls_logits.detach(), points)
        labels = truth.labels.gather(1, owner)[..., None]
        true_boxes = rows_at(truth.boxes, owner) / BASIS_STRIDE
        quality = logits.gather(2, labels)[..., 0].sigmoid() * aligned_iou(true_boxes, boxes, offset=1.0)
        return Slots(points=points, owner=owner, boxes=boxes, kept=kept, quality=quality.where(kept, 0))


def most_points_of_an_object(ranges: Sequence[tuple[float, float]], strides: Sequence[int], radius: float) -> int:
    """Return how many points at most learn one object whose centre is less than `radius` strides away both ways.

    Strictly inside of 2 * radius strides lie ceil(2 * radius) points a side. A level takes part if the half of the
    object's longer side is more than its range's lower end less the radius, and at most its upper end.
    """
    reach = [(low - radius * stride, high) for (low, high), stride in zip(ranges, strides, strict=True)]
    levels = max(sum(low <= half <= high for low, high in reach) for half, _ in reach)
    return levels * math.ceil(2 * radius) ** 2
