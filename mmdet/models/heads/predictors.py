"""The convolutions that predict, initialised as those of RetinaNet (Lin et al., 2017)."""

from __future__ import annotations

import math

from torch import nn

PRIOR = 0.01  # initial class probability
PRIOR_BIAS = -math.log((1 - PRIOR) / PRIOR)  # -log(99)


def predictor(in_channels: int, out_channels: int, kernel: int = 3, bias: float = 0.0) -> nn.Conv2d:
    """Return a convolution that keeps the size, with weights from N(0, 0.01) and a constant bias."""
    conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2)
    nn.init.normal_(conv.weight, std=0.01)
    assert conv.bias is not None
    nn.init.constant_(conv.bias, bias)
    return conv
