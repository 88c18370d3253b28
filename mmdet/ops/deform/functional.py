"""Deformable convolution (v1, 3x3, stride 1, zero outside) by sampling and a matrix product.

All forms compute the same. GPUs sample by kernels of this package; the CPU, and a GPU where Triton is missing, by
torch's `grid_sample`. torchvision's operation is not used: on the CPU its backward is slow, and on a GPU it launches on
the default stream whatever the current one is, so that on another it reads what is not computed yet. On a GPU the
backward adds in whatever order threads come: where torch is told to be deterministic, rows are picked and added up by
index. Source: Dai et al., Deformable Convolutional Networks; MODEL.md 3.5.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

KERNEL = 3
_HAS_TRITON = find_spec("triton") is not None

# (maps (N, C, h, w), y (N, K), x (N, K) in cells) to the values (N, C, K) there, bilinear, zero outside
Sampler = Callable[[Tensor, Tensor, Tensor], Tensor]


def deform_conv(features: Tensor, offsets: Tensor, weight: Tensor) -> Tensor:
    """Convolve (B, C, h, w) with weight (O, C, 3, 3), each tap moved by offsets (B, G * 18, h, w), to (B, O, h, w).

    G divides the channels; offsets are (dy, dx) of tap after tap within a group, in cells. Features may be of another
    type than the offsets, which is that of the products on a GPU; the CPU computes in the offsets' type.
    """
    by_kernels = features.device.type == "cuda" and _HAS_TRITON and offsets.dtype == torch.float32
    if by_kernels and not torch.are_deterministic_algorithms_enabled():
        from mmdet.ops.deform.kernels import gpu_deform_conv  # here: Triton takes half a second to import

        return gpu_deform_conv(features, offsets, weight)
    arguments = features.to(offsets.dtype), offsets, weight.to(offsets.dtype)
    if features.device.type == "cuda" and torch.are_deterministic_algorithms_enabled():
        return deterministic_deform_conv(*arguments)
    return sampled_deform_conv(*arguments)


def deterministic_deform_conv(features: Tensor, offsets: Tensor, weight: Tensor) -> Tensor:
    """Do what `deform_conv` does, with gradients that are equal in every run under torch's deterministic algorithms.

    Slower, and image by image: what is picked takes several times the memory of the features, so the backward pass
    picks it again.
    """
    images = zip(features.split(1), offsets.split(1), strict=True)
    return torch.cat(
        [
            checkpoint(
                sampled_deform_conv, *image, weight, pick_bilinear, use_reentrant=False, preserve_rng_state=False
            )
            for image in images
        ]
    )


def sample_bilinear(maps: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Sample by torch's `grid_sample`, which wants positions in [-1, 1] from outer edge to outer edge."""
    height, width = maps.shape[-2:]
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1).unsqueeze(1)
    return F.grid_sample(maps, grid, mode="bilinear", padding_mode="zeros", align_corners=False).squeeze(2)


def pick_bilinear(maps: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Sample by picking the four neighbours as rows: the backward of `index_select` has a deterministic form."""
    count, channels, height, width = maps.shape
    rows = maps.flatten(2).transpose(1, 2).reshape(-1, channels)
    first_row = torch.arange(count, device=maps.device).unsqueeze(1) * height * width
    top, left = y.detach().floor(), x.detach().floor()
    low, right = y - top, x - left  # gradients flow through these
    total = maps.new_zeros(count, y.shape[1], channels)
    for row, vertical in ((top, 1 - low), (top + 1, low)):
        for column, horizontal in ((left, 1 - right), (left + 1, right)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            # of a position that is not finite the index is any, and the weight is NaN
            cell = row.nan_to_num().clamp(0, height - 1) * width + column.nan_to_num().clamp(0, width - 1)
            picked = rows.index_select(0, (first_row + cell.long()).flatten()).view_as(total)
            total = total + picked * (vertical * horizontal * inside).unsqueeze(2)
    return total.transpose(1, 2)


def sampled_deform_conv(
    features: Tensor, offsets: Tensor, weight: Tensor, sampler: Sampler = sample_bilinear
) -> Tensor:
    """Do what `deform_conv` does by sampling all taps of all points and one matrix product an image."""
    batch, channels, height, width = features.shape
    taps = KERNEL * KERNEL
    groups = offsets.shape[1] // (2 * taps)
    moves = offsets.reshape(batch * groups, taps, 2, height, width)
    tap = torch.arange(taps, device=features.device)
    y = torch.arange(height, device=features.device).view(-1, 1) + (tap // KERNEL - KERNEL // 2).view(-1, 1, 1)
    x = torch.arange(width, device=features.device).view(1, -1) + (tap % KERNEL - KERNEL // 2).view(-1, 1, 1)
    grouped = features.reshape(batch * groups, channels // groups, height, width)
    sampled = sampler(grouped, (y + moves[:, :, 0]).flatten(1), (x + moves[:, :, 1]).flatten(1))
    columns = sampled.reshape(batch, channels * taps, height * width)
    return (weight.flatten(1) @ columns).view(batch, -1, height, width)
