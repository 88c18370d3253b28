"""The track head: a vector for every region, compared with those of other frames by inner products.

Source: BASELINES.md 3.5. The vectors are not normalised (B13).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class TrackHead(nn.Module):
    """Two linear layers."""

    def __init__(self, channels: int, size: int, width: int) -> None:
        super().__init__()
        layers = [nn.Linear(channels * size * size, width), nn.Linear(width, width)]
        self.layers = nn.ModuleList(layers)
        for layer in layers:
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Return vectors (..., E) of regions (..., C, size, size)."""
        first, second = self.layers
        vectors: Tensor = second(F.relu(first(features.flatten(-3))))
        return vectors
