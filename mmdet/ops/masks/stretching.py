"""Stretch small masks to boxes, and shrink the part of a mask in a box, as OpenCV's bilinear resize does.

Source: BASELINES.md 3.6 and 3.7. Boxes are inclusive and in pixels; their corners are cut to integers. No size depends
on the data, and the host does not wait.
"""

from __future__ import annotations

import torch
from torch import Tensor


def paste_masks(soft: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Return soft masks (N, S, S), stretched to boxes (N, 4), on images (N, height, width) that are 0 elsewhere."""
    start, length = _whole_pixels(boxes)
    columns = _weights(start[:, 0], length[:, 0], size[1], soft.shape[2])
    rows = _weights(start[:, 1], length[:, 1], size[0], soft.shape[1])
    return rows @ soft @ columns.transpose(1, 2)


def crop_masks(masks: Tensor, owner: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Return (B, N, size, size) bool: the parts of masks (B, G, H, W) bool in boxes (B, N, 4), resized.

    `owner` (B, N) int64: the mask of each box. A part ends where the mask ends.
    """
    height, width = masks.shape[-2:]
    start, length = _whole_pixels(boxes)
    x0, x1, x_part = _source(start[..., 0], length[..., 0], width, size)
    y0, y1, y_part = _source(start[..., 1], length[..., 1], height, size)
    flat = masks.flatten(1)

    def at(y: Tensor, x: Tensor) -> Tensor:
        places = (owner[..., None, None] * height + y[..., :, None]) * width + x[..., None, :]
        return flat.gather(1, places.flatten(1)).view(places.shape).int()

    # OpenCV resizes bytes with whole numbers: weights are counted in 1/2048, and rounded down twice between rows
    left, right = _WHOLE - x_part[..., None, :], x_part[..., None, :]
    upper = at(y0, x0) * left + at(y0, x1) * right
    lower = at(y1, x0) * left + at(y1, x1) * right
    below = y_part[..., :, None]
    quarters = ((_WHOLE - below) * (upper >> 4) >> 16) + (below * (lower >> 4) >> 16)
    return (quarters + 2 >> 2) > 0


_WHOLE = 2048  # the weight 1 of OpenCV's whole numbers


def _whole_pixels(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first pixels (..., 2) and the numbers of pixels (..., 2) of boxes (..., 4), as (x, y)."""
    corners = boxes.long()
    return corners[..., :2], (corners[..., 2:] - corners[..., :2] + 1).clamp(min=1)


def _weights(start: Tensor, length: Tensor, count: int, cells: int) -> Tensor:
    """Return (N, count, cells): how much each cell counts in each pixel, 0 outside of the box."""
    pixel = torch.arange(count, device=start.device) - start[:, None]
    inside = (pixel >= 0) & (pixel < length[:, None])
    place = ((pixel + 0.5) * (cells / length[:, None]) - 0.5).clamp(0, cells - 1)
    distance = (place[..., None] - torch.arange(cells, device=start.device)).abs()
    return (1 - distance).clamp(min=0) * inside[..., None]


def _source(start: Tensor, length: Tensor, count: int, cells: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return for every cell the two pixels that it lies between and the second one's weight, (..., cells) each."""
    start = start.clamp(0, count - 1)[..., None]
    length = torch.minimum(length[..., None], count - start)
    place = (torch.arange(cells, device=start.device) + 0.5) * (length / cells) - 0.5
    first = place.floor()
    part = torch.where((first >= 0) & (first < length - 1), place - first, 0.0)
    first = first.long().clamp(min=0).minimum(length - 1)
    second = (first + 1).minimum(length - 1)
    return start + first, start + second, (part * _WHOLE).round().int()
