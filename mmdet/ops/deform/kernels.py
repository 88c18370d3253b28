"""Deformable convolution on a GPU in two parts: Triton kernels that sample, and matrix products in the maps' own type.

torchvision's kernels support only float32 and read channels with strides; these read and add whole rows of channels.
The gradient of the maps uses atomic additions, so it is not for runs that must repeat to the bit. The contract is that
of `mmdet.ops.deform.functional.deform_conv`.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

POINTS = 32  # points per program
MAX_CHANNELS = 128  # channels that a program handles at a time: 32 registers per thread for a tile of values


@triton.jit
def _corners(offsets, image, group, tap, points, height, width, groups):
    """Return the cell above and to the left of each point's tap, as floats, and the distance of the tap from it.

    `offsets`: (B, groups * 18, height, width); `image`, `group`, `tap`, `points`: what to read of them
    """
    count = height * width
    first = offsets + ((image * groups + group) * 18 + tap * 2) * count + points
    inside = points < count
    y = points // width + tap // 3 - 1 + tl.load(first, mask=inside, other=0.0)
    x = points % width + tap % 3 - 1 + tl.load(first + count, mask=inside, other=0.0)
    top, left = tl.floor(y), tl.floor(x)
    return top, left, y - top, x - left


@triton.jit
def _rows(row, column, image, points, height, width):
    """Return the row indices of cells (float coordinates) in maps (B * h * w, C), and whether each is in the map."""
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width) & (points < height * width)
    # clamped instead of tl.where, with which Triton 3.6 fails to compile the backward kernel
    row, column = tl.maximum(tl.minimum(row, height - 1), 0), tl.maximum(tl.minimum(column, width - 1), 0)
    cell = row.to(tl.int64) * width + column.to(tl.int64)
    return image.to(tl.int64) * height * width + cell, inside


@triton.jit
def _sample(
    maps,
    offsets,
    columns,
    height,
    width,
    channels,
    groups: tl.constexpr,
    GROUP_CHANNELS: tl.constexpr,
    BLOCK: tl.constexpr,
    POINTS: tl.constexpr,
):
    """Write columns (B * h * w, 9, C) of maps (B * h * w, C): one program for POINTS points, one tap and one group.

    `offsets`: (B, groups * 18, height, width); `channels`: C, of which a group has GROUP_CHANNELS
    BLOCK channels are handled at a time
    """
    points = tl.program_id(0) * POINTS + tl.arange(0, POINTS)
    tap, group, image = tl.program_id(1) // groups, tl.program_id(1) % groups, tl.program_id(2)
    top, left, low, right = _corners(offsets, image, group, tap, points, height, width, groups)
    target = (image.to(tl.int64) * height * width + points) * 9 + tap
    for start in range(0, GROUP_CHANNELS, BLOCK):
        inner = start + tl.arange(0, BLOCK)
        channel = group * GROUP_CHANNELS + inner
        total = tl.zeros((POINTS, BLOCK), dtype=tl.float32)
        for corner in tl.static_range(4):
            down, across = corner // 2, corner % 2
            rows, inside = _rows(top + down, left + across, image, points, height, width)
            vertical = low if down else 1 - low
            horizontal = right if across else 1 - right
            mask = inside[:, None] & (inner < GROUP_CHANNELS)[None, :]
            values = tl.load(maps + rows[:, None] * channels + channel[None, :], mask=mask, other=0.0)
            total += values.to(tl.float32) * (vertical * horizontal)[:, None]
        mask = (points < height * width)[:, None] & (inner < GROUP_CHANNELS)[None, :]
        tl.store(columns + target[:, None] * channels + channel[None, :], total, mask=mask)


@triton.jit
def _sample_backward(
    maps,
    offsets,
    grad_columns,
    grad_maps,
    grad_offsets,
    height,
    width,
    channels,
    groups: tl.constexpr,
    GROUP_CHANNELS: tl.constexpr,
    BLOCK: tl.constexpr,
    POINTS: tl.constexpr,
):
    """Add to the gradient of the maps and write that of the offsets, with programs as in `_sample`.

    `grad_columns`: the gradient of the columns; `grad_maps`, `grad_offsets`: float32, written here
    The other arguments are those of `_sample`.
    """
    points = tl.program_id(0) * POINTS + tl.arange(0, POINTS)
    tap, group, image = tl.program_id(1) // groups, tl.program_id(1) % groups, tl.program_id(2)
    count = height * width
    top, left, low, right = _corners(offsets, image, group, tap, points, height, width, groups)
    source = (image.to(tl.int64) * count + points) * 9 + tap
    grad_y = tl.zeros((POINTS,), dtype=tl.float32)
    grad_x = tl.zeros((POINTS,), dtype=tl.float32)
    for start in range(0, GROUP_CHANNELS, BLOCK):
        inner = start + tl.arange(0, BLOCK)
        channel = group * GROUP_CHANNELS + inner
        mask = (points < count)[:, None] & (inner < GROUP_CHANNELS)[None, :]
        grad = tl.load(grad_columns + source[:, None] * channels + channel[None, :], mask=mask, other=0.0)
        grad = grad.to(tl.float32)
        for corner in tl.static_range(4):
            down, across = corner // 2, corner % 2
            rows, inside = _rows(top + down, left + across, image, points, height, width)
            vertical = low if down else 1 - low
            horizontal = right if across else 1 - right
            mask = inside[:, None] & (inner < GROUP_CHANNELS)[None, :]
            place = rows[:, None] * channels + channel[None, :]
            slope = tl.sum(grad * tl.load(maps + place, mask=mask, other=0.0).to(tl.float32), axis=1)
            grad_y += slope * horizontal * (1 if down else -1)
            grad_x += slope * vertical * (1 if across else -1)
            tl.atomic_add(grad_maps + place, grad * (vertical * horizontal)[:, None], mask=mask, sem="relaxed")
    first = grad_offsets + ((image * groups + group) * 18 + tap * 2) * count + points
    tl.store(first, grad_y, mask=points < count)
    tl.store(first + count, grad_x, mask=points < count)


def _launch(kernel: Any, maps: Tensor, offsets: Tensor, *others: Tensor) -> None:
    """Run a kernel over maps (B, h, w, C) and offsets (B, G * 18, h, w)."""
    batch, height, width, channels = maps.shape
    groups = offsets.shape[1] // 18
    per_group = channels // groups
    block = min(MAX_CHANNELS, triton.next_power_of_2(per_group))
    grid = (triton.cdiv(height * width, POINTS), 9 * groups, batch)
    kernel[grid](
        maps, offsets, *others, height, width, channels, groups, GROUP_CHANNELS=per_group, BLOCK=block, POINTS=POINTS
    )


def sample_columns(maps: Tensor, offsets: Tensor) -> Tensor:
    """Return the samples at all taps (B, h * w, 9 * C) from maps (B, h, w, C) and offsets (B, G * 18, h, w)."""
    batch, height, width, channels = maps.shape
    columns = maps.new_empty(batch, height * width, 9 * channels)
    _launch(_sample, maps, offsets, columns)
    return columns


def sample_columns_backward(maps: Tensor, offsets: Tensor, grad_columns: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients of maps and offsets, float32."""
    grad_maps = torch.zeros_like(maps, dtype=torch.float32)
    grad_offsets = torch.empty_like(offsets)
    _launch(_sample_backward, maps, offsets, grad_columns, grad_maps, grad_offsets)
    return grad_maps, grad_offsets


class _DeformConv(torch.autograd.Function):
    """Columns are sampled again in the backward pass, because they take nine times the memory of the maps."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, offsets: Tensor, weight: Tensor) -> Tensor:
        maps = features.permute(0, 2, 3, 1).contiguous()
        offsets, weight = offsets.contiguous(), weight.to(features.dtype)
        ctx.save_for_backward(maps, offsets, weight)
        rows = weight.permute(0, 2, 3, 1).flatten(1)  # (O, 9 * C)
        output = rows @ sample_columns(maps, offsets).transpose(1, 2)
        return output.view(len(features), -1, *features.shape[2:])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        maps, offsets, weight = ctx.saved_tensors
        rows = weight.permute(0, 2, 3, 1).flatten(1)
        grad = grad.flatten(2).to(maps.dtype)  # (B, O, h * w)
        by_output = grad.transpose(0, 1).reshape(len(weight), -1)
        grad_weight = by_output @ sample_columns(maps, offsets).flatten(0, 1)
        grad_columns = grad.transpose(1, 2) @ rows
        grad_maps, grad_offsets = sample_columns_backward(maps, offsets, grad_columns)
        grad_features = grad_maps.permute(0, 3, 1, 2).to(maps.dtype).contiguous()
        out_channels, channels = weight.shape[:2]
        return grad_features, grad_offsets, grad_weight.view(out_channels, 3, 3, channels).permute(0, 3, 1, 2)


def gpu_deform_conv(features: Tensor, offsets: Tensor, weight: Tensor) -> Tensor:
    """Convolve (B, C, h, w) with weight (O, C, 3, 3), taps moved by float32 offsets (B, G * 18, h, w).

    Products and the result have the type of the features and are summed in float32; positions and weights of the
    samples are always float32.
    """
    output: Tensor = _DeformConv.apply(features, offsets, weight)
    return output
