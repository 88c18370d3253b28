"""Deformable convolution (v1, 3x3, stride 1, zero outside) by sampling and a matrix product.

All forms compute the same. GPUs use kernels of this package; the CPU, and a GPU without Triton, use torch's
`grid_sample`. torchvision's operation is not used: its backward pass is slow on the CPU, and on a GPU it always
launches on the default stream, so that on another stream it reads values that are not computed yet. On a GPU the
backward pass adds in random order; if torch must be deterministic, rows are gathered and added by index instead.
Source: Dai et al., Deformable Convolutional Networks; MODEL.md 3.5.
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

# (maps (N, C, h, w), y (N, K), x (N, K) in cells) to the bilinear values (N, C, K) there, zero outside
Sampler = Callable[[Tensor, Tensor, Tensor], Tensor]


def deform_conv(features: Tensor, offsets: Tensor, weight: Tensor) -> Tensor:
    """Convolve (B, C, h, w) with weight (O, C, 3, 3), each tap moved by offsets (B, G * 18, h, w), to (B, O, h, w).

    G divides the channels; offsets are (dy, dx) of tap after tap within a group, in cells. Features may have another
    type than the offsets: a GPU multiplies in the features' type, the CPU in the offsets' type.
    """
    if torch.compiler.is_exporting() or torch.jit.is_tracing():  # other programs have no kernels of this package
        return sampled_deform_conv(features.to(offsets.dtype), offsets, weight.to(offsets.dtype))
    by_kernels = features.device.type == "cuda" and _HAS_TRITON and offsets.dtype == torch.float32
    if by_kernels and not torch.are_deterministic_algorithms_enabled():
        from mmdet.ops.deform.kernels import gpu_deform_conv  # imported here because Triton takes half a second

        return gpu_deform_conv(features, offsets, weight)
    arguments = features.to(offsets.dtype), offsets, weight.to(offsets.dtype)
    if features.device.type == "cuda" and torch.are_deterministic_algorithms_enabled():
        return deterministic_deform_conv(*arguments)
    return sampled_deform_conv(*arguments)


def deterministic_deform_conv(features: Tensor, offsets: Tensor, weight: Tensor) -> Tensor:
    """Do what `deform_conv` does, with reproducible gradients under torch's deterministic algorithms.

    It is slower and works image by image: the gathered rows take several times the memory of the features, so the
    backward pass gathers them again.
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
    """Sample with torch's `grid_sample`, which expects positions in [-1, 1] from outer edge to outer edge."""
    height, width = maps.shape[-2:]
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1).unsqueeze(1)
    return F.grid_sample(maps, grid, mode="bilinear", padding_mode="zeros", align_corners=False).squeeze(2)


def pick_bilinear(maps: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Sample by gathering the four neighbours as rows: the backward pass of `index_select` has a deterministic form."""
    count, channels, height, width = maps.shape
    rows = maps.flatten(2).transpose(1, 2).reshape(-1, channels)
    first_row = torch.arange(count, device=maps.device).unsqueeze(1) * height * width
    top, left = y.detach().floor(), x.detach().floor()
    low, right = y - top, x - left  # gradients flow through these
    total = maps.new_zeros(count, y.shape[1], channels)
    for row, vertical in ((top, 1 - low), (top + 1, low)):
        for column, horizontal in ((left, 1 - right), (left + 1, right)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            # for a position that is not finite the index is arbitrary and the weight NaN
            cell = row.nan_to_num().clamp(0, height - 1) * width + column.nan_to_num().clamp(0, width - 1)
            picked = rows.index_select(0, (first_row + cell.long()).flatten()).view_as(total)
            total = total + picked * (vertical * horizontal * inside).unsqueeze(2)
    return total.transpose(1, 2)


def sampled_deform_conv(
    features: Tensor, offsets: Tensor, weight: Tensor, sampler: Sampler = sample_bilinear
) -> Tensor:
    """Do what `deform_conv` does: sample all taps of all points, then one matrix product per image."""
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
