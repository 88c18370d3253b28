"""The task-aligned assigner: an object is learnt by the points inside its box that already predict it best.

Source: Feng et al., TOOD: Task-aligned One-stage Object Detection (ICCV 2021), section 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mmdet.config.ranges import Amount, Count
from mmdet.models.assigners.targets import inside_boxes
from mmdet.ops.boxes import pairwise_iou
from mmdet.ops.sampling import rows_at
from mmdet.registry import ASSIGNERS
from mmdet.structures import PointGrid
from mmdet.structures.padded_truth import FrameRows
from mmdet.structures.short_text import ShortText

LEAST_ALIGNMENT = 1e-20  # below it a point does not predict the object at all


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AlignedAssignment(ShortText):
    """The points that learn each object of F frames: G objects, A slots, P points. No size depends on the data."""

    slots: Tensor  # (F, G, A) int64: points, the best aligned first; without meaning where not `valid`
    valid: Tensor  # (F, G, A) bool
    targets: Tensor  # (F, G, A) in [0, 1]: the class score that the point should have; 0 where not `valid`
    ignored: Tensor  # (F, P) bool: inside a crowd region and in no object; such points learn nothing


@ASSIGNERS.register_module()
class TaskAlignedAssigner:
    """Assigns to every object the `topk` points inside its box of the largest class score ** alpha * IoU ** beta.

    A point that several objects choose goes to the one that its box overlaps most. The target of a point's class score
    is its alignment, scaled so that the object's best point gets the object's best IoU.
    """

    def __init__(self, topk: Count = 10, alpha: Amount = 0.5, beta: Amount = 6.0) -> None:
        self.topk, self.alpha, self.beta = topk, alpha, beta

    @torch.no_grad()
    def __call__(self, points: PointGrid, probs: Tensor, boxes: Tensor, truth: FrameRows) -> AlignedAssignment:
        """Assign points by predicted class probabilities (F, P, K) and boxes (F, P, 4) in input pixels."""
        inside = inside_boxes(points, truth.boxes, truth.valid)
        of_class = rows_at(probs.transpose(1, 2), truth.labels)  # (F, G, P)
        iou = pairwise_iou(truth.boxes, boxes).nan_to_num(0)  # NaN of two boxes without area
        alignment = (of_class**self.alpha * iou**self.beta).where(inside, 0)
        best, slots = alignment.topk(min(self.topk, alignment.shape[2]), dim=2)
        own_iou, valid = iou.gather(2, slots), best > LEAST_ALIGNMENT
        valid &= _goes_to(slots, own_iou.where(valid, 0), alignment.shape[2])
        best, own_iou = best.where(valid, 0), own_iou.where(valid, 0)
        scale = own_iou.amax(dim=2, keepdim=True) / best.amax(dim=2, keepdim=True).clamp(min=LEAST_ALIGNMENT)
        in_crowd = inside_boxes(points, truth.boxes, truth.is_crowd).any(dim=1)
        return AlignedAssignment(slots=slots, valid=valid, targets=best * scale, ignored=in_crowd & ~inside.any(dim=1))


def _goes_to(slots: Tensor, iou: Tensor, num_points: int) -> Tensor:
    """Return (F, G, A) bool: whether no other object that chose the point overlaps its box more."""
    chosen = iou.new_zeros(*slots.shape[:2], num_points).scatter(2, slots, iou)
    owner = chosen.argmax(dim=1)  # (F, P)
    objects = torch.arange(slots.shape[1], device=slots.device)[None, :, None]
    return rows_at(owner, slots) == objects
