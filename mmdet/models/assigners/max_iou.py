"""The assigner of two-stage models: a box learns the object that it overlaps most, if it overlaps it enough.

Source: Ren et al., Faster R-CNN (2015); BASELINES.md 3.2 (anchors) and 3.4 (regions).
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmdet.config.ranges import Fraction
from mmdet.ops.boxes import centres, pairwise_iou, points_ltrb
from mmdet.registry import ASSIGNERS
from mmdet.structures import PaddedTruth
from mmdet.structures.two_stage_outputs import BoxAssignment

NO_OBJECT = -1.0  # below the IoU with any object


@ASSIGNERS.register_module()
class MaxIoUAssigner:
    """Assigns by the IoU of inclusive boxes. An object's best boxes learn it whatever else they overlap.

    `positive_iou`: a box learns its object from here on; `negative_iou`: below it a box is background
    `least_iou`: of an object's best boxes. All boxes of the same IoU count, and of several objects the last has the box

    A box of background whose centre lies in a crowd region is ignored.
    """

    def __init__(self, positive_iou: Fraction = 0.7, negative_iou: Fraction = 0.3, least_iou: Fraction = 0.3) -> None:
        self.positive_iou, self.negative_iou, self.least_iou = positive_iou, negative_iou, least_iou

    @torch.no_grad()
    def __call__(self, boxes: Tensor, valid: Tensor, truth: PaddedTruth) -> BoxAssignment:
        """Assign boxes (N, 4) or (B, N, 4); those that are not `valid` (B, N) are ignored."""
        iou = pairwise_iou(boxes, truth.boxes, 1.0)  # (B, N, G)
        iou = iou.where(truth.valid.unsqueeze(1) & valid.unsqueeze(2), NO_OBJECT)
        overlap, owner = iou.max(dim=2)  # of equal ones the first
        of_object = iou.amax(dim=1, keepdim=True)
        is_best = (iou == of_object) & (of_object >= self.least_iou) & (iou > NO_OBJECT)
        rows = torch.arange(iou.shape[2], device=iou.device)
        last = torch.where(is_best, rows, -1).amax(dim=2)
        positive = (last >= 0) | (overlap >= self.positive_iou)
        negative = valid & (overlap < self.negative_iou) & ~positive & ~_in_crowd(boxes, truth)
        return BoxAssignment(owner=torch.where(last >= 0, last, owner), positive=positive & valid, negative=negative)


def _in_crowd(boxes: Tensor, truth: PaddedTruth) -> Tensor:
    """Return (B, N) bool: whether the centre of a box lies in a crowd region."""
    points = centres(boxes if boxes.dim() == 3 else boxes[None])
    nearest_side = points_ltrb(points[:, None], truth.boxes).amin(dim=-1)  # (B, G, N)
    return ((nearest_side >= 0) & truth.is_crowd.unsqueeze(2)).any(dim=1)
