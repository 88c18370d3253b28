"""The head: per-point classes, boxes with their uncertainty, centerness, a mask basis and an embedding map.

Source: MODEL.md 3 (SipMask-style FCOS head with a memory read between tower and prediction). All predictions are
flattened once, here, to (B, P, ...).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmdet.config.ranges import Count
from mmdet.models.heads.cnp_memory import CNPMemory
from mmdet.models.heads.feature_align import FeatureAlign
from mmdet.models.heads.levels import FUSED_LEVELS, flatten_levels, split_levels
from mmdet.models.heads.predictors import PRIOR_BIAS, predictor, tower
from mmdet.registry import HEADS, MEMORIES
from mmdet.structures import HeadOutputs, PointGrid


@HEADS.register_module()
class SipMaskHead(nn.Module):
    """The head; all levels of the pyramid share its weights. `num_classes` counts foreground classes only."""

    class_tensors = ("cls_conv.weight", "cls_conv.bias")  # one row per class

    def __init__(
        self,
        channels: int,
        strides: Sequence[int],
        num_classes: Count,
        memory: dict[str, Any],
        tower_depth: Count = 3,
        norm_groups: Count = 32,
    ) -> None:
        super().__init__()
        self.num_classes, self.strides = num_classes, tuple(strides)
        self.cls_tower = tower(channels, tower_depth - 1, norm_groups, last_relu=False)
        self.mask_tower = tower(channels, tower_depth, norm_groups)
        self.embedding_tower = tower(channels, tower_depth - 1, norm_groups)
        self.memory: CNPMemory = MEMORIES.build({**memory, "channels": channels})
        self.cls_align = FeatureAlign(2 * channels, channels, norm_groups)
        self.mask_align = FeatureAlign(channels, channels, norm_groups)
        self.cls_conv = predictor(channels, num_classes, 3, bias=PRIOR_BIAS)
        self.box_conv = predictor(2 * channels, 8, 3)  # 4 distances, 4 sigmas
        self.centerness_conv = predictor(channels, 1, 3)
        self.mask_fuse = predictor(FUSED_LEVELS * channels, channels, 1)
        self.embedding_fuse = predictor(FUSED_LEVELS * channels, channels, 1)
        # These only scale detached distances and never get a gradient (MODEL.md 10, Q9), so they are frozen.
        self.scales = nn.Parameter(torch.ones(len(self.strides)), requires_grad=False)

    def forward(self, pyramid: Sequence[Tensor], reference_pyramid: Sequence[Tensor] | None) -> HeadOutputs:
        """Predict from the pyramids (B, C, H/s, W/s) of the key and, in training, of the reference frames."""
        points = PointGrid.of_pyramid(pyramid, self.strides)
        cls_features = [self.cls_tower(level) for level in pyramid]
        mask_features = [self.mask_tower(level) for level in pyramid]
        memory_query = flatten_levels(cls_features)
        cls_features = self._with_context(cls_features, self.memory.read(memory_query))
        box_maps = [self.box_conv(level).float() for level in cls_features]
        distances = self._distances(points, box_maps)
        cls_logits = [
            self.cls_conv(self.cls_align(level, distance))
            for level, distance in zip(cls_features, distances, strict=True)
        ]
        aligned = [
            self.mask_align(level, distance)
            for level, distance in zip(mask_features[:FUSED_LEVELS], distances[:FUSED_LEVELS], strict=True)
        ]
        box_outputs = flatten_levels(box_maps)
        return HeadOutputs(
            points=points,
            cls_logits=flatten_levels(cls_logits).float(),
            box_ltrb=box_outputs[..., :4].sigmoid(),
            box_sigma=0.1 + 0.9 * F.softplus(box_outputs[..., 4:]),  # MODEL.md 5
            centerness_logits=flatten_levels([self.centerness_conv(level) for level in mask_features])
            .squeeze(2)
            .float(),
            mask_basis=self._mask_basis(aligned),
            embedding_map=self._embedding_map(pyramid),
            reference_embedding_map=None if reference_pyramid is None else self._embedding_map(reference_pyramid),
            memory_query=memory_query.detach(),  # no loss reads it
        )

    def _with_context(self, features: Sequence[Tensor], context: Tensor) -> list[Tensor]:
        """Concatenate each map (B, C, h, w) with its part of the context (B, P, C)."""
        parts = split_levels(context, features)
        return [torch.cat([level, part], dim=1) for level, part in zip(features, parts, strict=True)]

    def _distances(self, points: PointGrid, box_maps: Sequence[Tensor]) -> list[Tensor]:
        """Return detached distances to the box sides (B, 4, h, w) in cells of their level (MODEL.md 3.5)."""
        scale = points.box_scale.view(1, 4, 1, 1)
        return [
            self.scales[level] * boxes[:, :4].detach().sigmoid() * scale / self.strides[level]
            for level, boxes in enumerate(box_maps)
        ]

    def _fuse(self, maps: Sequence[Tensor], fuse: nn.Module) -> Tensor:
        """Resize levels 0..2 to stride 8, concatenate and fuse them: (B, C, H/8, W/8).

        Resizes with channels last: torch's kernel for the other layout uses one thread per pixel for all channels.
        """
        levels = [level.contiguous(memory_format=torch.channels_last) for level in maps[:FUSED_LEVELS]]
        finest = [
            F.interpolate(level, size=levels[0].shape[-2:], mode="bilinear", align_corners=False)
            for level in levels[1:]
        ]
        return fuse(torch.cat([levels[0], *finest], dim=1))

    def _mask_basis(self, aligned: Sequence[Tensor]) -> Tensor:
        """Return (B, C, H/2, W/2). A 1x1 convolution and a bilinear resize commute; fusing first costs a sixteenth.

        Under autocast it uses float32 in training, because the gradient of the resize is summed in this type, and the
        reduced type in testing.
        """
        fused = self._fuse(aligned, self.mask_fuse)
        if torch.is_grad_enabled():
            fused = fused.float()
        with torch.autocast(fused.device.type, enabled=False):
            return F.relu(F.interpolate(fused, scale_factor=4.0, mode="bilinear", align_corners=False))

    def _embedding_map(self, pyramid: Sequence[Tensor]) -> Tensor:
        """Return (B, C, H/8, W/8), without activation."""
        return self._fuse([self.embedding_tower(level) for level in pyramid[:FUSED_LEVELS]], self.embedding_fuse)
