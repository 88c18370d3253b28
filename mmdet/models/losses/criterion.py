"""The training criterion: assigns points, adds up the loss terms over images and ranks, and normalises them.

Source: MODEL.md 6; MODEL.md 10 says which quirks of the release are mended. Every term is `world size * local sum /
all-reduced normaliser`, so that the mean over ranks, which DDP also takes of gradients, equals what one process with
all images would get.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from mmdet.config.ranges import Amount, Count, Fraction, Positive
from mmdet.errors import UserError, suggestion
from mmdet.models.losses.cnp import cnp_loss
from mmdet.models.losses.contrastive import gathered_contrastive_loss, match_accuracy
from mmdet.models.losses.detection import box_loss, centerness_loss, class_loss
from mmdet.models.losses.mask import large_pairs, mask_loss
from mmdet.models.losses.pairs import Pairs
from mmdet.ops.collectives import sum_over_ranks, world_size
from mmdet.ops.sampling import sample_at_centres
from mmdet.registry import ASSIGNERS, CRITERIA
from mmdet.structures import Assignment, ClipBatch, HeadOutputs, PaddedTruth, PointGrid

Assigner = Callable[[PointGrid, Tensor, PaddedTruth], Assignment]
LOSSES = ("loss_seg", "loss_cls", "loss_cnp", "loss_bbox", "loss_centerness", "loss_match")


@CRITERIA.register_module()
class Criterion(nn.Module):
    """The sum of all losses; it has no parameters. Q-numbers are those of MODEL.md 10.

    `assigner`: an assigner or its config
    `exclude_matches`: leave the matches out of the negatives of the contrastive loss (Q4). With them, as in the
        release, the loss is bounded: a match against itself and the hardest others (InfoNCE). Without them it has no
        lower bound and keeps pulling at features that masks share (measured in docs/results.md)
    `focal_gamma`, `focal_alpha`: exponent and weight of the focal loss
    `temperature`, `num_negatives`: of the contrastive loss, see `contrastive_loss`
    `loss_weights`: factors for single terms of LOSSES; the others have 1
    `weighted_boxes`: weight the box loss by centerness, which the release ignores (Q5)
    `nll_over_points`: divide the mixture's likelihood by the number of all points, as the release does, otherwise by
        the number of objects (Q6)
    """

    def __init__(
        self,
        assigner: dict[str, Any] | Assigner,
        exclude_matches: bool = False,
        focal_gamma: Amount = 2.0,
        focal_alpha: Fraction = 0.25,
        temperature: Positive = 0.1,
        num_negatives: Count = 5,
        loss_weights: Mapping[str, Amount] | None = None,
        weighted_boxes: bool = False,
        nll_over_points: bool = True,
    ) -> None:
        super().__init__()
        self.assigner: Assigner = ASSIGNERS.build(assigner) if isinstance(assigner, dict) else assigner
        self.exclude_matches, self.weighted_boxes, self.nll_over_points = (
            exclude_matches,
            weighted_boxes,
            nll_over_points,
        )
        self.focal_gamma, self.focal_alpha = focal_gamma, focal_alpha
        self.temperature, self.num_negatives = temperature, num_negatives
        self.loss_weights = dict(loss_weights or {})
        for name in self.loss_weights:
            if name not in LOSSES:
                raise UserError(f"loss_weights: unknown loss {name!r}; {suggestion(name, LOSSES)}")

    def forward(self, outputs: HeadOutputs, batch: ClipBatch) -> dict[str, Tensor]:
        """Return the scalars of LOSSES, to be summed, and `match_acc`, a fraction, without gradient.

        A batch without objects gives zeros that are still connected to every output.
        """
        with torch.autocast(outputs.cls_logits.device.type, enabled=False):
            return self._losses(_in_float32(outputs), batch.truth_of_pairs)

    def _losses(self, outputs: HeadOutputs, truth: PaddedTruth) -> dict[str, Tensor]:
        assignment = self.assigner(outputs.points, outputs.box_sigma, truth)
        pairs = Pairs.make(outputs, truth, assignment)
        kept = large_pairs(pairs)
        coefficients = _at_predicted_boxes(outputs.embedding_map, pairs)
        match, accuracy = self._match(outputs, truth, pairs, coefficients, kept)
        counts = torch.stack((truth.has_objects.sum(), torch.ones_like(truth.has_objects).sum()))
        num_with_objects, num_images = sum_over_ranks(counts).clamp(min=1).unbind()
        box_scale, num_points = outputs.points.box_scale, len(outputs.points.xy)
        by_image = {
            "loss_seg": mask_loss(outputs.mask_basis, coefficients, truth.half_masks, pairs, kept),
            "loss_cls": class_loss(outputs.cls_logits, truth, assignment, self.focal_gamma, self.focal_alpha),
            "loss_cnp": cnp_loss(pairs, box_scale, num_points if self.nll_over_points else None),
            "loss_bbox": box_loss(pairs, self.weighted_boxes),
            "loss_centerness": centerness_loss(outputs.centerness_logits, assignment),
        }
        normaliser = dict.fromkeys(LOSSES, num_with_objects) | {"loss_centerness": num_images}  # MODEL.md 6
        losses = {name: world_size() * value.sum() / normaliser[name] for name, value in by_image.items()}
        losses["loss_match"] = match / num_with_objects  # one value for all ranks, not a sum
        weighted = {name: losses[name] * self.loss_weights.get(name, 1.0) for name in LOSSES}
        return {**weighted, "match_acc": accuracy}

    def _match(
        self, outputs: HeadOutputs, truth: PaddedTruth, pairs: Pairs, coefficients: Tensor, kept: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the contrastive loss and the match accuracy over all ranks, from images with a large enough pair."""
        if outputs.reference_embedding_map is None:
            raise ValueError("the losses need pairs of frames: give the model clips (B, 2, 3, H, W) in training")
        reference = sample_at_centres(outputs.reference_embedding_map, truth.reference_boxes)
        takes_part = kept.flatten(1).any(dim=1)
        loss = gathered_contrastive_loss(
            key=sample_at_centres(outputs.embedding_map, truth.boxes),
            reference=reference,
            key_valid=truth.valid & takes_part.unsqueeze(1),
            reference_valid=truth.reference_valid & takes_part.unsqueeze(1),
            match=truth.match,
            temperature=self.temperature,
            num_negatives=self.num_negatives,
            exclude_matches=self.exclude_matches,
        )
        accuracy = match_accuracy(coefficients, reference, truth.reference_valid, truth.match, kept)
        weight = pairs.valid.sum(dim=(1, 2)) * takes_part  # all pairs, including the small ones (MODEL.md 6)
        total, weights = sum_over_ranks(torch.stack(((accuracy * weight).sum(), weight.sum()))).unbind()
        return loss, total / weights.clamp(min=1)


def _in_float32(outputs: HeadOutputs) -> HeadOutputs:
    """Return the outputs in float32, except the basis, which the mask loss converts image by image."""
    reference = outputs.reference_embedding_map
    return replace(
        outputs,
        cls_logits=outputs.cls_logits.float(),
        box_ltrb=outputs.box_ltrb.float(),
        box_sigma=outputs.box_sigma.float(),
        centerness_logits=outputs.centerness_logits.float(),
        embedding_map=outputs.embedding_map.float(),
        reference_embedding_map=None if reference is None else reference.float(),
    )


def _at_predicted_boxes(maps: Tensor, pairs: Pairs) -> Tensor:
    """Return the features (B, G, A, E) of maps (B, E, h, w) at the centres of the predicted boxes."""
    rows = sample_at_centres(maps, pairs.boxes.detach().flatten(1, 2))
    return rows.view(*pairs.valid.shape, -1)
