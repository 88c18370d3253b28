"""Class, box and centerness losses, one value per image. Source: MODEL.md 6.

The criterion adds them up and normalises.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mmdet.models.losses.pairs import Pairs, mean_where, sum_where
from mmdet.ops.boxes import giou
from mmdet.ops.sampling import rows_at
from mmdet.structures import Assignment, PaddedTruth


def focal_loss(logits: Tensor, targets: Tensor, gamma: float = 2.0, alpha: float = 0.25) -> Tensor:
    """Return the sigmoid focal loss of every logit with its bool target (Lin et al., 2017)."""
    margin = torch.where(targets, logits, -logits)  # large: right
    weight = torch.where(targets, alpha, 1 - alpha)
    return weight * (-margin).sigmoid() ** gamma * F.softplus(-margin)


def class_loss(logits: Tensor, truth: PaddedTruth, assignment: Assignment, gamma: float, alpha: float) -> Tensor:
    """Return (B,): focal loss of logits (B, P, K) summed over positive and negative points, per positive.

    It is 0 for an image without positives.
    """
    labels = rows_at(truth.labels, assignment.closest)
    classes = torch.arange(logits.shape[2], device=logits.device)
    targets = (labels.unsqueeze(2) == classes) & assignment.positive.unsqueeze(2)
    counted = (assignment.positive | assignment.negative).unsqueeze(2).expand_as(logits)
    num_positive = assignment.positive.sum(dim=1)
    losses = sum_where(counted, focal_loss(logits, targets, gamma, alpha)) / num_positive.clamp(min=1)
    return losses.where(num_positive > 0, 0)


def box_loss(pairs: Pairs, weighted: bool = False) -> Tensor:
    """Return (B,): the mean of 1 - GIoU over pairs, `weighted` by their centerness or all alike.

    The release passes the centerness as weight; it is ignored, except that the loss is 0 if all weights are 0 (Q5).
    """
    errors = 1 - giou(pairs.boxes, pairs.true_boxes)
    total = sum_where(pairs.valid, pairs.centerness)
    if weighted:
        return sum_where(pairs.valid, errors * pairs.centerness) / total.where(total > 0, 1)
    return mean_where(pairs.valid, errors).where(total > 0, 0)


def centerness_loss(logits: Tensor, assignment: Assignment) -> Tensor:
    """Return (B,): the mean binary cross-entropy of logits (B, P) over points in boxes."""
    losses = F.binary_cross_entropy_with_logits(logits, assignment.centerness, reduction="none")
    return mean_where(assignment.in_box, losses)
