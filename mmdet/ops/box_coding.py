"""Boxes as four differences to other boxes: shifts in units of their sides, and logarithms of the sides' ratios.

Boxes are inclusive xyxy in pixels: their sides are x2 - x1 + 1, their centres (x1 + x2) / 2. Differences have the
mean 0; `stds` are what they are divided by. torchvision's coder of the same name takes half-open boxes, clamps the
logarithms at another value and from above only, so that its numbers are not those of the releases. Source:
BASELINES.md 1.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

LARGEST_LOG_RATIO = abs(math.log(16 / 1000))
UNIT_STDS = (1.0, 1.0, 1.0, 1.0)  # of the RPN


def encode_boxes(boxes: Tensor, targets: Tensor, stds: Sequence[float] = UNIT_STDS) -> Tensor:
    """Return the differences (..., 4) of `targets` (..., 4) to `boxes` (..., 4). Both have positive sides."""
    centre, sides = _centre_and_sides(boxes)
    target_centre, target_sides = _centre_and_sides(targets)
    shift, stretch = (target_centre - centre) / sides, (target_sides / sides).log()
    return torch.cat((_scaled(shift, stds[:2], -1), _scaled(stretch, stds[2:], -1)), dim=-1)


def decode_boxes(
    boxes: Tensor, deltas: Tensor, stds: Sequence[float] = UNIT_STDS, image_sizes: Tensor | None = None
) -> Tensor:
    """Return the boxes (B, ..., 4) that lie by `deltas` (B, ..., 4) off `boxes`, which broadcast against them.

    With `image_sizes` (B, 2), (height, width) of every image, they are clamped to [0, width - 1] and [0, height - 1].
    """
    centre, sides = _centre_and_sides(boxes)
    shift = _scaled(deltas[..., :2], stds[:2], 1)
    stretch = _scaled(deltas[..., 2:], stds[2:], 1).clamp(-LARGEST_LOG_RATIO, LARGEST_LOG_RATIO)
    centre, half = centre + sides * shift, sides * stretch.exp() * 0.5
    decoded = torch.cat((centre - half + 0.5, centre + half - 0.5), dim=-1)
    if image_sizes is None:
        return decoded
    last = (image_sizes.flip(1) - 1).to(decoded.dtype)  # x before y
    last = torch.cat((last, last), dim=1).view(-1, *(1 for _ in decoded.shape[2:]), 4)
    return torch.minimum(decoded.clamp(min=0), last)


def _centre_and_sides(boxes: Tensor) -> tuple[Tensor, Tensor]:
    return (boxes[..., :2] + boxes[..., 2:]) * 0.5, boxes[..., 2:] - boxes[..., :2] + 1


def _scaled(values: Tensor, stds: Sequence[float], power: int) -> Tensor:
    """Return x and y values (..., 2), each times its std to the power 1 or -1."""
    x, y = (value * std if power > 0 else value / std for value, std in zip(values.unbind(-1), stds, strict=True))
    return torch.stack((x, y), dim=-1)
