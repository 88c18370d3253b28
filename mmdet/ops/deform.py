"""Deformable convolution (v1, 3x3, stride 1, zero outside), by torchvision's kernel or by sampling and a product.

Both compute the same; torchvision's CPU kernel is single-threaded and slow in the backward, `sampled_deform_conv`
uses torch's threaded bilinear sampling instead. Source: Dai et al., Deformable Convolutional Networks; MODEL.md 3.5.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import deform_conv2d

KERNEL = 3


def deform_conv(features: Tensor, offsets: Tensor, weight: Tensor) -> Tensor:
    """Convolve (B, C, h, w) with weight (O, C, 3, 3), each tap moved by offsets (B, G * 18, h, w), to (B, O, h, w).

    G divides the channels; offsets are (dy, dx) of tap after tap within a group, in cells.
    """
    if features.device.type == "cpu":
        return sampled_deform_conv(features, offsets, weight)
    return deform_conv2d(features, offsets, weight, padding=KERNEL // 2)


def sampled_deform_conv(features: Tensor, offsets: Tensor, weight: Tensor) -> Tensor:
    """Do what `deform_conv` does by sampling all taps of all points and one matrix product an image."""
    batch, channels, height, width = features.shape
    taps = KERNEL * KERNEL
    groups = offsets.shape[1] // (2 * taps)
    moves = offsets.reshape(batch * groups, taps, 2, height, width)
    tap = torch.arange(taps, device=features.device)
    y = torch.arange(height, device=features.device).view(-1, 1) + (tap // KERNEL - KERNEL // 2).view(-1, 1, 1)
    x = torch.arange(width, device=features.device).view(1, -1) + (tap % KERNEL - KERNEL // 2).view(-1, 1, 1)
    # grid_sample wants positions in [-1, 1] from outer edge to outer edge.
    grid = torch.stack(
        [(2 * (x + moves[:, :, 1]) + 1) / width - 1, (2 * (y + moves[:, :, 0]) + 1) / height - 1], dim=-1
    )
    grouped = features.reshape(batch * groups, channels // groups, height, width)
    sampled = F.grid_sample(grouped, grid.flatten(1, 2), mode="bilinear", padding_mode="zeros", align_corners=False)
    columns = sampled.view(batch, channels * taps, height * width)
    return (weight.flatten(1) @ columns).view(batch, -1, height, width)
