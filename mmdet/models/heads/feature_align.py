"""Feature alignment: a deformable convolution whose offsets follow the box predicted at each point.

Source: MODEL.md 3.5 (after SipMask / RepPoints).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmdet.ops.deform.functional import KERNEL, deform_conv

OFFSET_GROUPS = 4


class FeatureAlign(nn.Module):
    """3x3 deformable convolution (v1, zero outside), GroupNorm, ReLU. Offsets are a 1x1 convolution of distances."""

    def __init__(self, in_channels: int, channels: int, norm_groups: int = 32) -> None:
        super().__init__()
        self.offset_conv = nn.Conv2d(4, OFFSET_GROUPS * 2 * KERNEL * KERNEL, 1, bias=False)
        self.weight = nn.Parameter(torch.empty(channels, in_channels, KERNEL, KERNEL))
        self.norm = nn.GroupNorm(norm_groups, channels)
        nn.init.normal_(self.offset_conv.weight, std=0.01)
        nn.init.normal_(self.weight, std=0.01)

    def forward(self, features: Tensor, distances: Tensor) -> Tensor:
        """Return (B, C, h, w) from maps (B, C_in, h, w) and distances to the box sides (B, 4, h, w) in cells.

        No gradient reaches `distances`. Offsets are float32 even under autocast: bfloat16 would round an offset of 16
        cells to eighths of a cell.
        """
        device = features.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else features.dtype
        with torch.autocast(device, enabled=False):
            offsets = self.offset_conv(distances.detach().float())
            aligned = deform_conv(features.to(dtype), offsets, self.weight)
        return F.relu(self.norm(aligned))
