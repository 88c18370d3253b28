"""Class, box and centerness losses of the FCOS family over a RangeAssignment, and the criterion of FCOS.

Source: BASELINES.md 2.3. Sums run over all points with those that do not count set to zero, so that no size depends on
the data. Every term is `world size * local sum / all-reduced normaliser`, as in Criterion.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmdet.config.ranges import Amount, Fraction
from mmdet.models.losses.detection import focal_loss
from mmdet.ops.boxes import aligned_iou
from mmdet.ops.collectives import sum_over_ranks, world_size
from mmdet.registry import ASSIGNERS, CRITERIA
from mmdet.structures import ClipBatch, PaddedTruth, PointGrid
from mmdet.structures.dense_outputs import DenseOutputs, RangeAssignment, decode_distances

Assigner = Callable[[PointGrid, PaddedTruth], RangeAssignment]
LEAST_IOU = 1e-6  # the logarithm of the box loss stays finite


@CRITERIA.register_module()
class DenseCriterion(nn.Module):
    """The sum of the three losses of FCOS; it has no parameters.

    `assigner`: an assigner such as RangeAssigner, or its config
    `focal_gamma`, `focal_alpha`: exponent and weight of the focal loss
    """

    def __init__(
        self, assigner: dict[str, Any] | Assigner, focal_gamma: Amount = 2.0, focal_alpha: Fraction = 0.25
    ) -> None:
        super().__init__()
        self.assigner: Assigner = ASSIGNERS.build(assigner) if isinstance(assigner, dict) else assigner
        self.focal_gamma, self.focal_alpha = focal_gamma, focal_alpha

    def forward(self, outputs: DenseOutputs, batch: ClipBatch) -> dict[str, Tensor]:
        """Return loss_cls, loss_bbox and loss_centerness, to be summed."""
        with torch.autocast(outputs.cls_logits.device.type, enabled=False):
            found = self.assigner(outputs.points, batch.truth_of_pairs)
            return dense_losses(outputs, found, self.focal_gamma, self.focal_alpha)


def dense_losses(
    outputs: DenseOutputs, found: RangeAssignment, gamma: float = 2.0, alpha: float = 0.25
) -> dict[str, Tensor]:
    """Return loss_cls, loss_bbox and loss_centerness; the last two are 0, connected, without positive points.

    The class loss is divided by positives plus images, the box loss is a mean weighted by centerness targets.
    """
    target = centerness_target(found)
    figures = torch.stack((found.positive.sum(), found.positive.new_tensor(len(target), dtype=torch.int64)))
    positives, images = sum_over_ranks(figures).unbind()
    weight = sum_over_ranks(target.sum())
    sums = {
        "loss_cls": class_losses(outputs.cls_logits, found, gamma, alpha).sum() / (positives + images),
        "loss_bbox": (box_losses(outputs, found) * target).sum() / weight.where(weight > 0, 1),
        "loss_centerness": centerness_losses(outputs.centerness_logits, target, found).sum() / positives.clamp(min=1),
    }
    return {name: world_size() * value for name, value in sums.items()}


def centerness_target(found: RangeAssignment) -> Tensor:
    """Return (B, P): sqrt(min(l, r) / max(l, r) * min(t, b) / max(t, b)) of positive points, 0 elsewhere."""
    ltrb = found.ltrb.where(found.positive[..., None], 1)
    near, far = torch.minimum(ltrb[..., :2], ltrb[..., 2:]), torch.maximum(ltrb[..., :2], ltrb[..., 2:])
    ratios = near / far
    return (ratios[..., 0] * ratios[..., 1]).sqrt().where(found.positive, 0)


def class_losses(logits: Tensor, found: RangeAssignment, gamma: float, alpha: float) -> Tensor:
    """Return (B, P, K): focal losses of logits (B, P, K), 0 at ignored points."""
    targets = found.labels[..., None] == torch.arange(logits.shape[2], device=logits.device)
    return focal_loss(logits, targets, gamma, alpha).where(~found.ignored[..., None], 0)


def box_losses(outputs: DenseOutputs, found: RangeAssignment) -> Tensor:
    """Return (B, P): -ln IoU of inclusive boxes at positive points, 0 elsewhere. Predictions are not clamped."""
    positive = found.positive[..., None]
    # equal boxes where nothing is learnt: a masked NaN would still spoil the gradient
    predicted = decode_distances(outputs.points.xy, outputs.distances.where(positive, 0))
    target = decode_distances(outputs.points.xy, found.ltrb.where(positive, 0))
    return -aligned_iou(predicted, target, offset=1).clamp(min=LEAST_IOU).log()


def centerness_losses(logits: Tensor, target: Tensor, found: RangeAssignment) -> Tensor:
    """Return (B, P): binary cross-entropy of logits (B, P) at positive points, 0 elsewhere."""
    losses = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return losses.where(found.positive, 0)
