"""What the network of a two-stage model predicts for a batch: the pyramid, the RPN's maps as rows, the proposals.

Axes: B images, A anchors of all levels (finest first; in a level by row, column, anchor), R proposals (fixed). Boxes
are inclusive xyxy in input pixels: their sides are x2 - x1 + 1. Source: BASELINES.md 1.3 and 3.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.export import register_dataclass

from mmdet.structures.short_text import ShortText


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RPNOutputs(ShortText):
    """The RPN's prediction for every anchor of B images."""

    anchors: Tensor  # (A, 4)
    level_counts: tuple[int, ...]  # anchors of every level; they add up to A
    cls_logits: Tensor  # (B, A): of being an object
    deltas: Tensor  # (B, A, 4): from the anchor to the object, means 0 and stds 1


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Proposals(ShortText):
    """The R best proposals of B images, highest score first. No size depends on the data."""

    boxes: Tensor  # (B, R, 4), inside of the image without its padding; no gradient
    scores: Tensor  # (B, R) in [0, 1]
    valid: Tensor  # (B, R) bool: rows that are not come last and have no meaning


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TwoStageOutputs(ShortText):
    """What both stages start from, for B key frames."""

    features: tuple[Tensor, ...]  # P2..P5: (B, C, H/s, W/s)
    reference_features: tuple[Tensor, ...] | None  # as above, of the reference frames; None in testing
    rpn: RPNOutputs
    proposals: Proposals
    image_sizes: Tensor  # (B, 2) int64: (height, width) of every image without its padding


register_dataclass(RPNOutputs, serialized_type_name="mmdet.RPNOutputs")  # so that torch.export takes them
register_dataclass(Proposals, serialized_type_name="mmdet.Proposals")
register_dataclass(TwoStageOutputs, serialized_type_name="mmdet.TwoStageOutputs")


def unpadded_sizes(valid: Tensor) -> Tensor:
    """Return (B, 2) int64: the (height, width) of images whose pixels that are not padding are `valid` (B, H, W) bool.

    The padding is at the bottom and right. The host does not wait for the device.
    """
    return torch.stack([valid.any(dim=2).sum(dim=1), valid.any(dim=1).sum(dim=1)], dim=1)
