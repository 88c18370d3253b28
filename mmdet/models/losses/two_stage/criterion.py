"""The training criterion of two-stage models: anchors and regions are assigned and sampled, and learn.

Source: BASELINES.md 3.2 to 3.6. Every term is `world size * local sum / all-reduced normaliser`, so that the mean over
ranks, which DDP also takes of gradients, equals what one process with all images would get.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mmdet.models.assigners.max_iou import MaxIoUAssigner
from mmdet.models.assigners.regions import assign_regions
from mmdet.models.assigners.sampled_regions import SampledRegions, take_regions
from mmdet.models.assigners.sampler import RandomSampler
from mmdet.models.heads.two_stage.roi_heads import BOX_STDS, RoIHeads
from mmdet.models.losses.two_stage.roi_losses import box_loss, class_loss, identity_loss, mask_loss
from mmdet.models.losses.two_stage.rpn import rpn_losses
from mmdet.ops.anchors import inside_images
from mmdet.ops.collectives import sum_over_ranks, world_size
from mmdet.registry import ASSIGNERS, CRITERIA
from mmdet.structures import ClipBatch, PaddedTruth
from mmdet.structures.two_stage_outputs import BoxAssignment, Samples, TwoStageOutputs

ANCHOR_ASSIGNER = {"type": "MaxIoUAssigner"}
ANCHOR_SAMPLER = {"type": "RandomSampler", "num": 64, "positive_fraction": 0.5}
REGION_ASSIGNER = {"type": "MaxIoUAssigner", "positive_iou": 0.5, "negative_iou": 0.5, "least_iou": 0.5}
REGION_SAMPLER = {"type": "RandomSampler", "num": 128, "positive_fraction": 0.25}


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """What the anchors and the regions of a batch may learn, before sampling."""

    anchors: BoxAssignment
    region_boxes: Tensor  # (B, G + R, 4): the truth's rows in front of the proposals
    regions: BoxAssignment


@CRITERIA.register_module()
class TwoStageCriterion(nn.Module):
    """The sum of all losses; it has no parameters of its own, the heads of regions are given to it.

    The configs of the assigners and samplers of anchors and of regions; None: the published ones. Samples are drawn
    from torch's generator of the device.
    """

    def __init__(
        self,
        anchor_assigner: dict[str, Any] | None = None,
        anchor_sampler: dict[str, Any] | None = None,
        region_assigner: dict[str, Any] | None = None,
        region_sampler: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.anchor_assigner: MaxIoUAssigner = ASSIGNERS.build(anchor_assigner or ANCHOR_ASSIGNER)
        self.anchor_sampler: RandomSampler = ASSIGNERS.build(anchor_sampler or ANCHOR_SAMPLER)
        self.region_assigner: MaxIoUAssigner = ASSIGNERS.build(region_assigner or REGION_ASSIGNER)
        self.region_sampler: RandomSampler = ASSIGNERS.build(region_sampler or REGION_SAMPLER)

    def forward(self, outputs: TwoStageOutputs, batch: ClipBatch, heads: RoIHeads) -> dict[str, Tensor]:
        """Return the loss terms `loss_*`, to be summed, and `cls_acc` and `match_acc`, fractions, without gradient.

        A batch without objects gives zeros of what objects learn that are still connected to the graph.
        """
        truth = batch.truth_of_pairs
        assigned = self.assign(outputs, truth)
        anchors = self.anchor_sampler(assigned.anchors)
        return self.losses(outputs, truth, heads, assigned, anchors, self.region_sampler(assigned.regions))

    def assign(self, outputs: TwoStageOutputs, truth: PaddedTruth) -> Assigned:
        """Return what every anchor and region may learn. Anchors that cross the border of the image are ignored."""
        inside = inside_images(outputs.rpn.anchors, outputs.image_sizes)
        anchors = self.anchor_assigner(outputs.rpn.anchors, inside, truth)
        boxes, regions = assign_regions(outputs.proposals, truth, self.region_assigner)
        return Assigned(anchors=anchors, region_boxes=boxes, regions=regions)

    def losses(  # noqa: PLR0913  # the parts of a step, apart so that recorded samples can be replayed
        self,
        outputs: TwoStageOutputs,
        truth: PaddedTruth,
        heads: RoIHeads,
        assigned: Assigned,
        anchors: Samples,
        regions: Samples,
    ) -> dict[str, Tensor]:
        """Return what `forward` does, for given samples."""
        of_class, of_box = rpn_losses(outputs.rpn, truth, assigned.anchors, anchors)
        sampled = take_regions(assigned.region_boxes, assigned.regions, regions, truth)
        first = {"loss_rpn_cls": of_class.sum(), "loss_rpn_box": of_box.sum()}
        return first | self._region_losses(outputs, truth, heads, sampled)

    def _region_losses(
        self, outputs: TwoStageOutputs, truth: PaddedTruth, heads: RoIHeads, sampled: SampledRegions
    ) -> dict[str, Tensor]:
        if outputs.reference_features is None or truth.masks is None:
            raise ValueError("the losses need pairs of frames with masks at full size (whole_masks) in training")
        features = heads.read(outputs.features, sampled.boxes)
        logits, deltas = heads.box_head(features)
        vectors = heads.track_head(features)
        reference = heads.track_head(heads.read(outputs.reference_features, truth.reference_boxes))
        candidates = sampled.first(self.region_sampler.most_positive)  # of positives: they come first
        masks = heads.masks(outputs.features, candidates.boxes)
        with torch.autocast(logits.device.type, enabled=False):
            of_class, right = class_loss(logits.float(), sampled)
            of_box = box_loss(deltas.float(), sampled, truth.boxes, BOX_STDS)
            match, matched = identity_loss(
                vectors.float(), reference.float(), truth.reference_valid, truth.match, sampled
            )
            of_mask = mask_loss(masks.float(), candidates, truth.masks)
        return _normalised(sampled, of_class, of_box, match, of_mask) | _accuracies(sampled, right, matched)


def _normalised(
    sampled: SampledRegions, of_class: Tensor, of_box: Tensor, match: Tensor, of_mask: Tensor
) -> dict[str, Tensor]:
    """Divide the images' sums by the numbers of regions, of images and of positives of all ranks."""
    counts = torch.stack((sampled.valid.sum(), torch.ones_like(match).sum(), sampled.positive.sum()))
    regions, images, positives = (world_size() / sum_over_ranks(counts.float()).clamp(min=1)).unbind()
    return {
        "loss_cls": of_class.sum() * regions,
        "loss_box": of_box.sum() * regions,
        "loss_match": match.sum() * images,
        "loss_mask": of_mask.sum() * positives,
    }


def _accuracies(sampled: SampledRegions, right: Tensor, matched: Tensor) -> dict[str, Tensor]:
    sums = torch.stack((right.sum(), matched.sum(), sampled.valid.sum(), sampled.positive.sum()))
    right, matched, regions, positives = sum_over_ranks(sums).unbind()
    return {"cls_acc": right / regions.clamp(min=1), "match_acc": matched / positives.clamp(min=1)}
