"""A neck: the backbone's maps to the pyramid that the head reads. Here each level by itself, and one more level."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from mmdet.config.ranges import Count
from mmdet.registry import NECKS


@NECKS.register_module()
class PlainNeck(nn.Module):
    """The model hands on `in_channels`, those of the backbone; a config says `channels`, those of the pyramid."""

    strides = (8, 16, 32, 64)  # of the pyramid, which the model hands on to the head

    def __init__(self, in_channels: Sequence[int], channels: Count = 32) -> None:
        super().__init__()
        self.channels = channels
        self.levels = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in in_channels)
        self.coarsest = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """(B, D, H/s, W/s) of the backbone to (B, C, H/s, W/s), s = 8, 16, 32, 64 (rounded up), finest first."""
        pyramid = [convolve(level) for convolve, level in zip(self.levels, maps, strict=True)]
        return [*pyramid, self.coarsest(pyramid[-1])]
