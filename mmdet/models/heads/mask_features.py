"""Convolutions with GroupNorm, and the fine features from which objects draw their masks.

Source: Tian et al., Conditional Convolutions for Instance Segmentation (ECCV 2020); the path from the image itself is
ours: a pyramid that starts at stride 8 has lost the exact borders, which a few cheap convolutions see.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmdet.models.heads.levels import FUSED_LEVELS


class ConvNorm(nn.Module):
    """3x3 convolution without bias, GroupNorm and ReLU. The groups are those of `groups` that divide the channels."""

    def __init__(self, in_channels: int, out_channels: int, groups: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
        self.norm = nn.GroupNorm(math.gcd(groups, out_channels), out_channels)
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")

    def forward(self, features: Tensor) -> Tensor:
        """(N, in, h, w) to (N, out, h / stride, w / stride)."""
        return F.relu(self.norm(self.conv(features)))


class MaskFeatures(nn.Module):
    """Features at stride 4: the pyramid says what is where, the image where exactly it ends.

    `channels`: of the pyramid; `out_channels`: of the features
    `width`, `detail`: channels on the way from the pyramid and from the image
    """

    def __init__(self, channels: int, out_channels: int, groups: int, width: int = 64, detail: int = 32) -> None:
        super().__init__()
        self.reduce = nn.ModuleList(ConvNorm(channels, width, groups) for _ in range(FUSED_LEVELS))
        self.mix = ConvNorm(width, width, groups)
        self.stem = nn.Sequential(
            ConvNorm(3, detail // 2, groups, stride=2), ConvNorm(detail // 2, detail, groups, stride=2)
        )
        self.refine = nn.Sequential(ConvNorm(width + detail, width, groups), nn.Conv2d(width, out_channels, 1))

    def forward(self, pyramid: Sequence[Tensor], images: Tensor) -> Tensor:
        """Return (N, out, H/4, W/4) from a pyramid (N, C, H/s, W/s), s = 8, 16, 32, and images (N, 3, H, W)."""
        levels = [conv(level) for conv, level in zip(self.reduce, pyramid, strict=False)]
        size = levels[0].shape[-2:]
        coarser = [F.interpolate(level, size=size, mode="bilinear", align_corners=False) for level in levels[1:]]
        mixed = self.mix(levels[0] + sum(coarser))
        detail = self.stem(images)
        coarse = F.interpolate(mixed, size=detail.shape[-2:], mode="bilinear", align_corners=False)
        return self.refine(torch.cat([coarse, detail], dim=1))
