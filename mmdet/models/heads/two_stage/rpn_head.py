"""The region proposal network: whether an anchor is an object, and how the object lies to it.

Source: Ren et al., Faster R-CNN (2015); BASELINES.md 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmdet.config.ranges import Count, Fraction
from mmdet.models.heads.predictors import predictor
from mmdet.models.heads.two_stage.proposals import propose
from mmdet.ops.anchors import RATIOS, base_anchors, shifted_anchors
from mmdet.registry import HEADS
from mmdet.structures.two_stage_outputs import Proposals, RPNOutputs


@HEADS.register_module()
class RPNHead(nn.Module):
    """The head; all levels of the pyramid share its weights. `channels` and `strides` are the pyramid's.

    `num_per_level`: of the best anchors of a level become boxes; `num_proposals`: boxes of an image after NMS
    `iou_threshold`: a better box of the same level that overlaps more than this removes a box
    """

    base: Tensor

    def __init__(
        self,
        channels: int,
        strides: Sequence[int],
        num_per_level: Count = 200,
        num_proposals: Count = 200,
        iou_threshold: Fraction = 0.7,
    ) -> None:
        super().__init__()
        self.strides = tuple(strides)
        self.num_per_level, self.num_proposals, self.iou_threshold = num_per_level, num_proposals, iou_threshold
        self.conv = predictor(channels, channels, 3)
        self.cls_conv = predictor(channels, len(RATIOS), 1)
        self.box_conv = predictor(channels, 4 * len(RATIOS), 1)  # the four values of an anchor stand together
        self.register_buffer("base", base_anchors(self.strides), persistent=False)

    def forward(self, pyramid: Sequence[Tensor]) -> RPNOutputs:
        """Predict from the pyramid (B, C, H/s, W/s)."""
        sizes = tuple((level.shape[-2], level.shape[-1]) for level in pyramid)
        features = [F.relu(self.conv(level)) for level in pyramid]
        return RPNOutputs(
            anchors=shifted_anchors(self.base, sizes, self.strides),
            level_counts=tuple(height * width * len(RATIOS) for height, width in sizes),
            cls_logits=_rows([self.cls_conv(level) for level in features], 1).squeeze(2),
            deltas=_rows([self.box_conv(level) for level in features], 4),
        )

    def propose(self, outputs: RPNOutputs, image_sizes: Tensor) -> Proposals:
        """Return the proposals for images of (height, width) (B, 2) without their padding. They have no gradient."""
        return propose(outputs, image_sizes, self.num_per_level, self.num_proposals, self.iou_threshold)


def _rows(maps: Sequence[Tensor], width: int) -> Tensor:
    """Flatten maps (B, S * width, h, w) to (B, A, width) float32, by level, row, column, anchor of the cell."""
    levels = [level.permute(0, 2, 3, 1).reshape(len(level), -1, width) for level in maps]
    return torch.cat(levels, dim=1).float()
