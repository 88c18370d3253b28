"""FCOS: every point predicts classes, distances to the sides of a box, and how central it is in its object.

Source: Tian et al., FCOS (ICCV 2019), in the form of BASELINES.md 4. It learns from single frames and draws no masks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmdet.config.ranges import Count
from mmdet.models.heads.levels import flatten_levels
from mmdet.models.heads.predictors import PRIOR_BIAS, predictor, tower
from mmdet.registry import HEADS
from mmdet.structures import PointGrid
from mmdet.structures.dense_outputs import DenseOutputs


@HEADS.register_module()
class FCOSHead(nn.Module):
    """The head; all levels share its weights but for one scale of distances each. `num_classes`: foreground only."""

    class_tensors = ("cls_conv.weight", "cls_conv.bias")  # one row per class
    learns_from_pairs = False
    memory: None = None

    def __init__(
        self,
        channels: int,
        strides: Sequence[int],
        num_classes: Count,
        tower_depth: Count = 4,
        norm_groups: Count = 32,
    ) -> None:
        super().__init__()
        self.num_classes, self.strides = num_classes, tuple(strides)
        self.cls_tower = tower(channels, tower_depth, norm_groups)
        self.box_tower = tower(channels, tower_depth, norm_groups)
        self.cls_conv = predictor(channels, num_classes, bias=PRIOR_BIAS)
        self.box_conv = predictor(channels, 4)
        self.centerness_conv = predictor(channels, 1)
        self.scales = nn.Parameter(torch.ones(len(self.strides)))

    def forward(self, pyramid: Sequence[Tensor], reference_pyramid: None = None) -> DenseOutputs:
        """Predict from the pyramid (B, C, H/s, W/s) of frames."""
        points = PointGrid.of_pyramid(pyramid, self.strides)
        cls_features = [self.cls_tower(level) for level in pyramid]
        distances = [
            (scale * self.box_conv(self.box_tower(level)).float()).exp()
            for scale, level in zip(self.scales.unbind(), pyramid, strict=True)
        ]
        return DenseOutputs(
            points=points,
            cls_logits=flatten_levels([self.cls_conv(level) for level in cls_features]).float(),
            distances=flatten_levels(distances),
            centerness_logits=flatten_levels([self.centerness_conv(level) for level in cls_features])
            .squeeze(2)
            .float(),
        )
