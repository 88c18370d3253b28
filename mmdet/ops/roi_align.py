"""Features of regions of interest (RoIs) of a pyramid: the level of each region, and RoIAlign as the releases did it.

Source: BASELINES.md 3.3. A region is an inclusive box (x1, y1, x2, y2) in input pixels. On a map it starts at
x1 * scale and ends at (x2 + 1) * scale, pixel centres are not moved by half a pixel, and a region may be thinner than a
cell.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.ops import roi_align

SAMPLES = 2  # per bin and direction
FINEST_SIDE = 56.0  # regions of at least twice this side, in pixels, are read one level up
FAR_AWAY = -1e4  # cells; samples there read 0 and pass on no gradient


def legacy_roi_align(features: Tensor, boxes: Tensor, images: Tensor, scale: float, size: int) -> Tensor:
    """Return the features (N, C, size, size) of boxes (N, 4) on the maps (B, C, h, w) of their `images` (N,) int64.

    torchvision's roi_align takes x2 + 1 and y2 + 1 for the end. Without `aligned` it stretches regions thinner than one
    cell to one cell, which the releases do not; with it there is no such minimum, but half a cell is subtracted, which
    is added here before. Inverted regions have the size 0. The result is float32, with gradient to the maps alone.
    """
    start = boxes[:, :2] * scale
    end = torch.maximum((boxes[:, 2:] + 1) * scale, start)
    rows = torch.cat((images[:, None].float(), start + 0.5, end + 0.5), dim=1).detach()
    return roi_align(features.float(), rows, size, sampling_ratio=SAMPLES, aligned=True)


def roi_levels(boxes: Tensor, levels: int) -> Tensor:
    """Return the level (...) int64, 0 the finest, from which boxes (..., 4) are read."""
    sides = boxes[..., 2:] - boxes[..., :2] + 1
    side = (sides[..., 0] * sides[..., 1]).clamp(min=0).sqrt()
    return torch.log2(side / FINEST_SIDE + 1e-6).floor().clamp(0, levels - 1).long()


def pyramid_roi_align(pyramid: Sequence[Tensor], strides: Sequence[int], boxes: Tensor, size: int) -> Tensor:
    """Return the features (B, N, C, size, size) of boxes (B, N, 4), each from the level that fits its size.

    `pyramid`: maps (B, C, h, w), finest first; `strides`: input pixels per cell of each
    On every level the boxes of other levels lie far outside, so that no size depends on the data.
    """
    count, number = boxes.shape[:2]
    flat, chosen = boxes.flatten(0, 1).float(), roi_levels(boxes.float(), len(pyramid)).flatten()
    images = torch.arange(count, device=boxes.device).repeat_interleave(number)
    found = []
    for index, (level, stride) in enumerate(zip(pyramid, strides, strict=True)):
        own = torch.where((chosen == index)[:, None], flat, FAR_AWAY * stride)
        found.append(legacy_roi_align(level, own, images, 1 / stride, size))
    return torch.stack(found).sum(dim=0).unflatten(0, (count, number))
