"""The criterion of DynamicMaskHead: class scores that say how well a point's box fits, masks by overlap, identities.

All frames of a clip are learnt in full. Every term is `world size * local sum / all-reduced normaliser`, as in
Criterion. Sources: quality focal loss (Li et al., Generalized Focal Loss, 2020), GIoU (Rezatofighi et al., 2019), and
those of the parts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmdet.config.ranges import Amount, Count, Positive
from mmdet.errors import UserError, suggestion
from mmdet.models.assigners.task_aligned import AlignedAssignment
from mmdet.models.losses.identity_contrast import identity_contrast
from mmdet.models.losses.mask_overlap import mask_losses
from mmdet.ops.boxes import giou
from mmdet.ops.collectives import sum_over_ranks, world_size
from mmdet.ops.sampling import rows_at
from mmdet.registry import ASSIGNERS, CRITERIA
from mmdet.structures import ClipBatch, PointGrid
from mmdet.structures.dynamic_outputs import DynamicOutputs
from mmdet.structures.padded_truth import FrameRows

Assigner = Callable[[PointGrid, Tensor, Tensor, FrameRows], AlignedAssignment]
WEIGHTS = {
    "loss_cls": 1.0,
    "loss_bbox": 2.0,
    "loss_sigma": 0.5,
    "loss_dice": 2.0,
    "loss_bce": 1.0,
    "loss_quality": 0.5,
    "loss_match": 0.5,
}
SMALLEST_SIDE = 1e-3  # of the image; errors of boxes are compared with their size


@CRITERIA.register_module()
class AlignedCriterion(nn.Module):
    """The sum of all losses; it has no parameters.

    `assigner`: an assigner or its config
    `mask_slots`: an object draws its mask from so many of its best points
    `gamma`: exponent of the quality focal loss; `temperature`: divides the cosines of identities
    `loss_weights`: factors of single terms, instead of those in WEIGHTS
    """

    def __init__(
        self,
        assigner: dict[str, Any] | Assigner,
        mask_slots: Count = 3,
        gamma: Amount = 2.0,
        temperature: Positive = 0.1,
        loss_weights: Mapping[str, Amount] | None = None,
    ) -> None:
        super().__init__()
        self.assigner: Assigner = ASSIGNERS.build(assigner) if isinstance(assigner, dict) else assigner
        self.mask_slots, self.gamma, self.temperature = mask_slots, gamma, temperature
        for name in loss_weights or {}:
            if name not in WEIGHTS:
                raise UserError(f"loss_weights: unknown loss {name!r}; {suggestion(name, list(WEIGHTS))}")
        self.loss_weights = {**WEIGHTS, **(loss_weights or {})}

    def forward(self, outputs: DynamicOutputs, batch: ClipBatch) -> dict[str, Tensor]:
        """Return the scalars of WEIGHTS, to be summed, and `match_acc`, a fraction, without gradient.

        Raises UserError if the masks of reference frames were not read.
        """
        rows = batch.truth_of_pairs.frames
        if rows is None:
            raise UserError("this model learns from all frames of a clip: set reference_masks=True in every data set")
        with torch.autocast(outputs.cls_logits.device.type, enabled=False):
            return self._losses(_in_float32(outputs), rows, batch.images.shape[1])

    def _losses(self, outputs: DynamicOutputs, truth: FrameRows, clip_length: int) -> dict[str, Tensor]:
        boxes = outputs.boxes
        found = self.assigner(outputs.points, outputs.cls_logits.detach().sigmoid(), boxes.detach(), truth)
        masks, mask_weight = mask_losses(outputs, truth, found, self.mask_slots)
        own, true = rows_at(boxes, found.slots), truth.boxes.unsqueeze(2)
        sums = {
            "loss_cls": quality_focal(outputs.cls_logits, class_targets(outputs.cls_logits, truth, found), self.gamma)
            .where(~found.ignored[..., None], 0)
            .sum(),
            "loss_bbox": ((1 - giou(own, true)) * found.targets).sum(),
            "loss_sigma": (sigma_errors(outputs, own.detach(), true, found) * found.targets).sum(),
            **masks,
        }
        weights = sum_over_ranks(torch.stack((found.targets.sum(), mask_weight))).clamp(min=1)
        losses = {name: world_size() * value / weights[int(name in masks)] for name, value in sums.items()}
        losses["loss_match"], accuracy = identity_contrast(
            rows_at(outputs.embeddings, found.slots), found.targets, truth.ids, self.temperature, clip_length
        )
        weighted = {name: losses[name] * self.loss_weights[name] for name in WEIGHTS}
        return {**weighted, "match_acc": accuracy}


def _in_float32(outputs: DynamicOutputs) -> DynamicOutputs:
    learning = (part.name for part in fields(outputs) if part.name not in ("points", "memory_query"))
    return replace(outputs, **{name: getattr(outputs, name).float() for name in learning})


def class_targets(logits: Tensor, truth: FrameRows, found: AlignedAssignment) -> Tensor:
    """Return (F, P, K): the score that each point should have for each class, 0 where it learns no object."""
    frames, count, classes = logits.shape
    places = torch.where(found.valid, found.slots, count) * classes + truth.labels[:, :, None]
    flat = logits.new_zeros(frames, (count + 1) * classes)  # empty slots write to an extra point
    flat = flat.scatter(1, places.flatten(1), found.targets.flatten(1))
    return flat.view(frames, count + 1, classes)[:, :count]


def quality_focal(logits: Tensor, targets: Tensor, gamma: float) -> Tensor:
    """Return |target - score| ** gamma * cross-entropy of every logit with its soft target."""
    errors = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return (targets - logits.sigmoid()).abs() ** gamma * errors


def sigma_errors(outputs: DynamicOutputs, boxes: Tensor, true: Tensor, found: AlignedAssignment) -> Tensor:
    """Return (F, G, A): how far expected errors are from those of boxes (F, G, A, 4), relative to the true size."""
    scale = outputs.points.box_scale
    errors = (rows_at(outputs.box_sigma, found.slots) - ((boxes - true) / scale).abs()).abs().mean(dim=3)
    return errors / ((true[..., 2:] - true[..., :2]) / scale[:2]).mean(dim=3).clamp(min=SMALLEST_SIDE)
