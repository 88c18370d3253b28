"""The convolutions of dense heads: towers, and those that predict, initialised as in RetinaNet (Lin et al., 2017)."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F

PRIOR = 0.01  # initial class probability
PRIOR_BIAS = -math.log((1 - PRIOR) / PRIOR)  # -log(99)


def predictor(in_channels: int, out_channels: int, kernel: int = 3, bias: float = 0.0) -> nn.Conv2d:
    """Return a convolution that keeps the size, with weights from N(0, 0.01) and a constant bias."""
    conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2)
    nn.init.normal_(conv.weight, std=0.01)
    assert conv.bias is not None
    nn.init.constant_(conv.bias, bias)
    return conv


class ConvGN(nn.Module):
    """3x3 convolution without bias, GroupNorm and, by default, ReLU."""

    def __init__(self, channels: int, norm_groups: int, relu: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.GroupNorm(norm_groups, channels)
        self.relu = relu
        nn.init.normal_(self.conv.weight, std=0.01)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) to (B, C, h, w)."""
        normed = self.norm(self.conv(features))
        return F.relu(normed) if self.relu else normed


def tower(channels: int, depth: int, norm_groups: int, last_relu: bool = True) -> nn.Sequential:
    """Return `depth` times ConvGN, the last one with ReLU if asked for."""
    return nn.Sequential(*(ConvGN(channels, norm_groups, last_relu or i < depth - 1) for i in range(depth)))
