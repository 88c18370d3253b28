"""The losses of the region proposal network: object or not, and the boxes of objects. Source: BASELINES.md 3.2."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mmdet.ops.box_coding import encode_boxes
from mmdet.ops.collectives import sum_over_ranks, world_size
from mmdet.ops.sampling import rows_at
from mmdet.structures import PaddedTruth
from mmdet.structures.two_stage_outputs import BoxAssignment, RPNOutputs, Samples

BETA = 1 / 9  # differences below it count by their square


def rpn_losses(
    outputs: RPNOutputs, truth: PaddedTruth, assigned: BoxAssignment, samples: Samples
) -> tuple[Tensor, Tensor]:
    """Return the class losses (L,) and box losses (L,) of the pyramid's levels. Their sums are the terms to learn by.

    Both are divided by the number of sampled anchors of the whole batch, of all ranks; an image without positives or
    without negatives counts as if it had one.
    """
    counts = samples.positive.sum(dim=1).clamp(min=1) + samples.negative.sum(dim=1).clamp(min=1)
    scale = world_size() / sum_over_ranks(counts.sum())
    of_class = _per_level(outputs, samples, class_losses(outputs, samples))
    of_box = _per_level(outputs, samples, box_losses(outputs, truth, assigned, samples))
    return of_class * scale, of_box * scale


def class_losses(outputs: RPNOutputs, samples: Samples) -> Tensor:
    """Return (B, S): binary cross-entropies, 0 in slots that are not valid."""
    logits = outputs.cls_logits.gather(1, samples.index)
    losses = F.binary_cross_entropy_with_logits(logits, samples.positive.to(logits.dtype), reduction="none")
    return losses.where(samples.valid, 0)


def box_losses(outputs: RPNOutputs, truth: PaddedTruth, assigned: BoxAssignment, samples: Samples) -> Tensor:
    """Return (B, S): smooth L1 losses of the four differences, 0 in slots that are not positive."""
    anchors = outputs.anchors[samples.index]
    owner = assigned.owner.gather(1, samples.index)
    # the anchor itself where nothing is learnt: a masked infinity would still spoil the gradient
    objects = rows_at(truth.boxes, owner).where(samples.positive[..., None], anchors)
    target = encode_boxes(anchors, objects)
    losses = F.smooth_l1_loss(rows_at(outputs.deltas, samples.index), target, beta=BETA, reduction="none").sum(dim=2)
    return losses.where(samples.positive, 0)


def _per_level(outputs: RPNOutputs, samples: Samples, values: Tensor) -> Tensor:
    """Return the sums (L,) of the values (B, S) of the anchors of each level."""
    start, sums = 0, []
    for count in outputs.level_counts:
        of_level = (samples.index >= start) & (samples.index < start + count)
        sums.append(values.where(of_level, 0).sum())
        start += count
    return torch.stack(sums)
