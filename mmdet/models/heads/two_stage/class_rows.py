"""A linear layer with outputs for the background and for every class.

The background has tensors of its own, so that the others have one row per class and can be matched by class names.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ClassRows(nn.Module):
    """`outputs` numbers for the background and for each of K classes: (..., in) to (..., 1 + K, outputs)."""

    class_tensors = ("weight", "bias")  # one row per class

    def __init__(self, in_channels: int, num_classes: int, outputs: int = 1) -> None:
        super().__init__()
        self.outputs = outputs
        self.weight = nn.Parameter(torch.zeros(num_classes, outputs, in_channels))
        self.bias = nn.Parameter(torch.zeros(num_classes, outputs))
        self.background_weight = nn.Parameter(torch.zeros(1, outputs, in_channels))
        self.background_bias = nn.Parameter(torch.zeros(1, outputs))

    def joined(self) -> tuple[Tensor, Tensor]:
        """Return weight ((1 + K) * outputs, in) and bias ((1 + K) * outputs,), the background first."""
        weight = torch.cat((self.background_weight, self.weight)).flatten(0, 1)
        return weight, torch.cat((self.background_bias, self.bias)).flatten()

    def forward(self, rows: Tensor) -> Tensor:
        """Return (..., 1 + K, outputs) for rows (..., in)."""
        return F.linear(rows, *self.joined()).unflatten(-1, (-1, self.outputs))
