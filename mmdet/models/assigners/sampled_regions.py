"""The sampled regions of the second stage, with what they learn. Source: BASELINES.md 3.4."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mmdet.ops.sampling import rows_at
from mmdet.structures import PaddedTruth
from mmdet.structures.short_text import ShortText
from mmdet.structures.two_stage_outputs import BoxAssignment, Samples


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SampledRegions(ShortText):
    """S sampled regions of B images. The positives come first; slots that are not valid have no meaning."""

    boxes: Tensor  # (B, S, 4) inclusive, input pixels
    valid: Tensor  # (B, S) bool
    positive: Tensor  # (B, S) bool
    owner: Tensor  # (B, S) int64: row of the truth; without meaning where not positive
    labels: Tensor  # (B, S) int64, 0-based; likewise

    def first(self, count: int) -> SampledRegions:
        """Return the first slots of every image."""
        return SampledRegions(
            boxes=self.boxes[:, :count],
            valid=self.valid[:, :count],
            positive=self.positive[:, :count],
            owner=self.owner[:, :count],
            labels=self.labels[:, :count],
        )


@torch.no_grad()
def take_regions(boxes: Tensor, assigned: BoxAssignment, samples: Samples, truth: PaddedTruth) -> SampledRegions:
    """Return the sampled ones of regions (B, N, 4) and what they learn."""
    owner = assigned.owner.gather(1, samples.index)
    return SampledRegions(
        boxes=rows_at(boxes, samples.index),
        valid=samples.valid,
        positive=samples.positive,
        owner=owner,
        labels=truth.labels.gather(1, owner),
    )
