"""The training criterion of SipMask-VIS: the losses of FCOS, masks of four quarters, and matches with the reference.

Source: BASELINES.md 2.3. Every term is `world size * local sum / all-reduced normaliser`, as in Criterion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmdet.config.ranges import Amount, Fraction
from mmdet.errors import UserError, suggestion
from mmdet.models.assigners.by_range import RangeAssigner
from mmdet.models.losses.dense import dense_losses
from mmdet.models.losses.mask import WEIGHT_EPS
from mmdet.models.losses.sipmask_vis.quarter_masks import errors_of_kept, errors_of_slots
from mmdet.models.losses.sipmask_vis.slots import Slots, most_points_of_an_object
from mmdet.ops.boxes import area
from mmdet.ops.collectives import sum_over_ranks, world_size
from mmdet.ops.sampling import rows_at, sample_at_centres
from mmdet.registry import ASSIGNERS, CRITERIA
from mmdet.structures import ClipBatch, PaddedTruth
from mmdet.structures.dense_outputs import DenseOutputs
from mmdet.structures.head_outputs import BASIS_STRIDE

LOSSES = ("loss_cls", "loss_bbox", "loss_centerness", "loss_mask", "loss_match")


@CRITERIA.register_module()
class SipMaskVISCriterion(nn.Module):
    """The sum of all losses; it has no parameters.

    `assigner`: a RangeAssigner with a `center_radius`, or its config
    `focal_gamma`, `focal_alpha`: exponent and weight of the focal loss
    `loss_weights`: factors for single terms of LOSSES; the others have 1
    """

    def __init__(
        self,
        assigner: dict[str, Any] | RangeAssigner,
        focal_gamma: Amount = 2.0,
        focal_alpha: Fraction = 0.25,
        loss_weights: Mapping[str, Amount] | None = None,
    ) -> None:
        super().__init__()
        self.assigner: RangeAssigner = ASSIGNERS.build(assigner) if isinstance(assigner, dict) else assigner
        if getattr(self.assigner, "center_radius", None) is None:  # it bounds how many points learn the masks
            raise UserError("SipMaskVISCriterion: assigner must be a RangeAssigner with a center_radius, such as 1.5")
        self.focal_gamma, self.focal_alpha = focal_gamma, focal_alpha
        self.loss_weights = dict(loss_weights or {})
        for name in self.loss_weights:
            if name not in LOSSES:
                raise UserError(f"loss_weights: unknown loss {name!r}; {suggestion(name, LOSSES)}")

    def forward(self, outputs: DenseOutputs, batch: ClipBatch) -> dict[str, Tensor]:
        """Return the scalars of LOSSES, to be summed, and `match_acc`, a fraction, without gradient.

        A batch without objects gives zeros that are still connected to every output (B8, B9).
        """
        with torch.autocast(outputs.cls_logits.device.type, enabled=False):
            losses = self._losses(_in_float32(outputs), batch.truth_of_pairs)
        weighted = {name: losses[name] * self.loss_weights.get(name, 1.0) for name in LOSSES}
        return {**weighted, "match_acc": losses["match_acc"]}

    def _losses(self, outputs: DenseOutputs, truth: PaddedTruth) -> dict[str, Tensor]:
        assignment = self.assigner(outputs.points, truth)
        radius = self.assigner.center_radius
        assert radius is not None
        most = most_points_of_an_object(self.assigner.ranges, outputs.points.strides, radius)
        slots = Slots.make(outputs, truth, assignment, most)
        match, right = match_errors(outputs, truth, slots)
        sums = torch.stack((torch.ones_like(right).sum(), right.sum(), slots.kept.sum()))
        images, hits, kept = sum_over_ranks(sums).unbind()
        return {
            **dense_losses(outputs, assignment, self.focal_gamma, self.focal_alpha),
            "loss_mask": world_size() * mask_errors(outputs, truth, slots).sum() / images,
            "loss_match": world_size() * match.sum() / images,
            "match_acc": hits / kept.clamp(min=1),
        }


def mask_errors(outputs: DenseOutputs, truth: PaddedTruth, slots: Slots) -> Tensor:
    """Return (B,): the mean error per pixel of the kept slots' boxes, weighted by the quality of class and box.

    A GPU computes every slot, because asking which are kept would make the host wait.
    """
    assert outputs.coefficients is not None
    assert outputs.mask_basis is not None
    coefficients = rows_at(outputs.coefficients, slots.points)
    weights = slots.quality / (
        slots.quality.sum(dim=1, keepdim=True) + WEIGHT_EPS
    )  # factor n and the mean's 1/n cancel
    arguments = outputs.mask_basis, coefficients, slots.boxes, slots.owner, truth.half_masks
    if outputs.mask_basis.is_cuda:
        errors = errors_of_slots(*arguments)
    else:
        errors = errors_of_kept(*arguments, slots.kept)
    return (weights * errors / area(slots.boxes).where(slots.kept, 1)).where(slots.kept, 0).sum(dim=1)


def match_errors(outputs: DenseOutputs, truth: PaddedTruth, slots: Slots) -> tuple[Tensor, Tensor]:
    """Return (B,) the mean cross-entropy of the kept slots' matches, and how many of them are right.

    The choice of a slot is among the reference's objects and "none", whose logit is 0. Indices of both maps are clamped
    to the map (B4).
    """
    if outputs.track_map is None or outputs.reference_track_map is None:
        raise ValueError("the losses need pairs of frames: give the model clips (B, 2, 3, H, W) in training")
    features = sample_at_centres(outputs.track_map, slots.boxes * BASIS_STRIDE)
    references = sample_at_centres(outputs.reference_track_map, truth.reference_boxes)
    logits = features @ references.transpose(1, 2)
    logits = F.pad(logits.masked_fill(~truth.reference_valid[:, None], -torch.inf), (1, 0))
    target = truth.match.gather(1, slots.owner) + 1
    errors = F.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none").view(target.shape)
    right = ((logits.argmax(dim=2) == target) & slots.kept).sum(dim=1)
    return errors.where(slots.kept, 0).sum(dim=1) / slots.kept.sum(dim=1).clamp(min=1), right


def _in_float32(outputs: DenseOutputs) -> DenseOutputs:
    """Return the outputs in float32, except the basis, which the mask loss converts image by image."""
    reference = outputs.reference_track_map
    return replace(
        outputs,
        cls_logits=outputs.cls_logits.float(),
        distances=outputs.distances.float(),
        centerness_logits=outputs.centerness_logits.float(),
        coefficients=None if outputs.coefficients is None else outputs.coefficients.float(),
        track_map=None if outputs.track_map is None else outputs.track_map.float(),
        reference_track_map=None if reference is None else reference.float(),
    )
