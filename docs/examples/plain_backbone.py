"""A backbone: images to maps at strides 8, 16 and 32. Here convolutions of stride 2, without any weights to load."""

from __future__ import annotations

from torch import Tensor, nn

from mmdet.config.ranges import Count
from mmdet.registry import BACKBONES


@BACKBONES.register_module()
class PlainBackbone(nn.Module):
    """`width` is the number of channels of the first map; the others have twice and four times as many.

    A type such as Count is a range as well: `width=0` is refused when the config is loaded.
    """

    strides = (8, 16, 32)  # what the neck may count on

    def __init__(self, width: Count = 16) -> None:
        super().__init__()
        self.channels = (width, 2 * width, 4 * width)  # of the maps, handed on to the neck
        self.stem = nn.Sequential(_halve(3, width), _halve(width, width))
        self.stages = nn.ModuleList(
            _halve(narrow, wide) for narrow, wide in zip((width, *self.channels[:-1]), self.channels, strict=True)
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """(B, 3, H, W), normalised, to maps (B, C, H/s, W/s) of every stride."""
        maps = [self.stem(images)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps[1:]


def _halve(narrow: int, wide: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(narrow, wide, 3, stride=2, padding=1), nn.GroupNorm(4, wide), nn.ReLU())
