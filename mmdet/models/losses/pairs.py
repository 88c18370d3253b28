"""Pairs of a positive point and the object that it learns: the input of the box, uncertainty, mask and match losses.

Source: MODEL.md 6.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from mmdet.ops.sampling import rows_at
from mmdet.structures import Assignment, HeadOutputs, PaddedTruth


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """(B, G, A) slots: G objects per image, A candidate points per object. Only `valid` slots count."""

    valid: Tensor  # (B, G, A) bool
    boxes: Tensor  # (B, G, A, 4) predicted, input pixels, with gradient
    sigma: Tensor  # (B, G, A, 4) predicted, fractions of (W, H, W, H), with gradient
    class_probs: Tensor  # (B, G, A) predicted for the object's class, detached
    centerness: Tensor  # (B, G, A) target
    true_boxes: Tensor  # (B, G, 1, 4) input pixels

    @staticmethod
    def make(outputs: HeadOutputs, truth: PaddedTruth, assignment: Assignment) -> Pairs:
        """Read predictions and targets at the assigned slots."""
        slots = assignment.slots
        logits = rows_at(outputs.cls_logits.detach(), slots)
        labels = truth.labels[:, :, None, None].expand(*slots.shape, 1)
        return Pairs(
            valid=assignment.slot_valid,
            boxes=rows_at(outputs.boxes, slots),
            sigma=rows_at(outputs.box_sigma, slots),
            class_probs=logits.gather(3, labels).squeeze(3).sigmoid(),
            centerness=rows_at(assignment.centerness, slots),
            true_boxes=truth.boxes.unsqueeze(2),
        )


def sum_where(mask: Tensor, values: Tensor) -> Tensor:
    """Return the sums (B,) of the values (B, ...) at which the mask is set."""
    return values.where(mask, 0).flatten(1).sum(dim=1)


def mean_where(mask: Tensor, values: Tensor) -> Tensor:
    """Return the means (B,) of the values (B, ...) at which the mask is set; 0 if it is set nowhere."""
    return sum_where(mask, values) / mask.flatten(1).sum(dim=1).clamp(min=1)
