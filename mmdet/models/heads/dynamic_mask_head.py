"""A dense head whose objects draw their masks with small networks of their own.

Every point predicts classes, a box with its expected error, the quality of its mask, an embedding, and the weights of
the network that draws its mask from the frame's fine features. Sources: FCOS (Tian et al., ICCV 2019), CondInst (Tian
et al., ECCV 2020); the memory is that of MODEL.md 4, as an option.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmdet.config.ranges import Count
from mmdet.models.heads.cnp_memory import CNPMemory
from mmdet.models.heads.levels import flatten_levels, split_levels
from mmdet.models.heads.mask_features import ConvNorm, MaskFeatures
from mmdet.models.heads.predictors import PRIOR_BIAS, predictor
from mmdet.ops.masks.dynamic import num_weights
from mmdet.registry import HEADS, MEMORIES
from mmdet.structures import PointGrid
from mmdet.structures.dynamic_outputs import DynamicOutputs

FIRST_DISTANCE = 2.0  # to the sides of a box before training, in strides
LARGEST_EXPONENT = 6.0  # of distances: e^6 times the first one is farther than any image
REACH = 8.0  # unit of positions in a mask's network, in strides of its point (CondInst)


@HEADS.register_module()
class DynamicMaskHead(nn.Module):
    """The head; all levels of the pyramid share its weights.

    `num_classes`: foreground classes only
    `memory`: a memory whose context is added to the class features; None: none
    `tower_depth`: convolutions before classes and before boxes; `norm_groups`: of every GroupNorm
    `embedding_channels`: of what the tracker compares
    `mask_channels`, `mask_width`: of the features that masks are drawn from, and on the way to them
    """

    class_tensors = ("cls_conv.weight", "cls_conv.bias")  # one row per class

    def __init__(
        self,
        channels: int,
        strides: Sequence[int],
        num_classes: Count,
        memory: dict[str, Any] | None = None,
        tower_depth: Count = 2,
        norm_groups: Count = 32,
        embedding_channels: Count = 128,
        mask_channels: Count = 16,
        mask_width: Count = 64,
    ) -> None:
        super().__init__()
        self.num_classes, self.strides = num_classes, tuple(strides)

        def tower(depth: int) -> nn.Sequential:
            return nn.Sequential(*(ConvNorm(channels, channels, norm_groups) for _ in range(depth)))

        self.cls_tower, self.box_tower, self.embedding_tower = tower(tower_depth), tower(tower_depth), tower(1)
        self.cls_conv = predictor(channels, num_classes, bias=PRIOR_BIAS)
        self.box_conv = predictor(channels, 9)  # 4 distances, 4 errors, quality
        self.weight_conv = predictor(channels, num_weights(mask_channels))
        self.embedding_conv = predictor(channels, embedding_channels)
        self.scales = nn.Parameter(torch.ones(len(self.strides)))
        self.mask_features = MaskFeatures(channels, mask_channels, norm_groups, mask_width)
        self.memory: CNPMemory | None = None
        if memory is not None:  # built last: without it the other parts draw the same weights
            self.memory = MEMORIES.build({**memory, "channels": channels})
            nn.init.zeros_(self.memory.fc2.weight)

    def forward(self, pyramid: Sequence[Tensor], images: Tensor) -> DynamicOutputs:
        """Predict from the pyramids (F, C, H/s, W/s) of frames and their normalised images (F, 3, H, W)."""
        points = PointGrid.of_pyramid(pyramid, self.strides)
        cls_features = [self.cls_tower(level) for level in pyramid]
        box_features = [self.box_tower(level) for level in pyramid]
        query = flatten_levels(cls_features)
        if self.memory is not None:
            context = split_levels(self.memory.read(query), cls_features)
            cls_features = [level + part for level, part in zip(cls_features, context, strict=True)]
        boxes = flatten_levels([self.box_conv(level) for level in box_features]).float()
        stride = _per_point(
            pyramid, [level.new_full((), s).float() for level, s in zip(pyramid, self.strides, strict=True)]
        )
        scale = _per_point(pyramid, list(self.scales.float().unbind()))
        exponent = (boxes[..., :4] * scale[:, None]).clamp(max=LARGEST_EXPONENT)
        unit = stride[:, None] / points.box_scale
        return DynamicOutputs(
            points=points,
            cls_logits=flatten_levels([self.cls_conv(level) for level in cls_features]).float(),
            box_ltrb=FIRST_DISTANCE * exponent.exp() * unit,
            box_sigma=F.softplus(boxes[..., 4:8]) * unit,
            quality_logits=boxes[..., 8],
            mask_weights=flatten_levels([self.weight_conv(level) for level in box_features]).float(),
            embeddings=flatten_levels([self.embedding_conv(self.embedding_tower(level)) for level in pyramid]).float(),
            mask_features=self.mask_features(pyramid, images).float(),
            memory_query=query.detach(),
            reach=REACH * stride,
        )


def _per_point(pyramid: Sequence[Tensor], values: Sequence[Tensor]) -> Tensor:
    """Return (P,): each level's scalar at all of its points."""
    counts = [level.shape[-2] * level.shape[-1] for level in pyramid]
    return torch.cat([value.expand(count) for value, count in zip(values, counts, strict=True)])
