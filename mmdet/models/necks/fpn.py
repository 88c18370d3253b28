"""Feature pyramid network: strides 8, 16, 32 from the backbone, 64 from its own last output.

Source: Lin et al., Feature Pyramid Networks for Object Detection; MODEL.md 2.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from mmdet.config.ranges import Count
from mmdet.registry import NECKS


@NECKS.register_module()
class FPN(nn.Module):
    """One lateral 1x1 and one output 3x3 convolution per level, and a strided 3x3 convolution for the extra level."""

    def __init__(self, in_channels: Sequence[int], channels: Count = 256) -> None:
        super().__init__()
        self.channels = channels
        self.strides = (8, 16, 32, 64)
        self.lateral_convs = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in in_channels)
        self.output_convs = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in in_channels)
        self.extra_conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Return maps (N, C, H/s, W/s), s = 8, 16, 32, 64 (rounded up), from maps (N, D_l, H/s, W/s), s = 8, 16, 32."""
        laterals = [conv(level) for conv, level in zip(self.lateral_convs, maps, strict=True)]
        for level in range(len(laterals) - 2, -1, -1):
            size = laterals[level].shape[-2:]
            laterals[level] = laterals[level] + F.interpolate(laterals[level + 1], size=size, mode="nearest")
        outputs = [conv(level) for conv, level in zip(self.output_convs, laterals, strict=True)]
        return [*outputs, self.extra_conv(outputs[-1])]
