"""The anchors of an RPN: boxes of three shapes around every cell of every pyramid level. Source: BASELINES.md 3.1.

Boxes are inclusive xyxy in input pixels: their sides are x2 - x1 + 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mmdet.structures import Size

SCALE = 8  # side of a square anchor, in strides of its level
RATIOS = (0.5, 1.0, 2.0)  # height / width, in the order of the predictions


def base_anchors(strides: Sequence[int], scale: float = SCALE, ratios: Sequence[float] = RATIOS) -> Tensor:
    """Return the anchors (L, len(ratios), 4) of the first cell of levels with these strides.

    Corners are rounded half to even, so that an anchor's centre may be half a pixel off the cell's.
    """
    stride = torch.tensor(strides, dtype=torch.float32)[:, None]
    root = torch.tensor(ratios, dtype=torch.float32).sqrt()
    centre, half_width, half_height = (stride - 1) / 2, (scale * stride / root - 1) / 2, (scale * stride * root - 1) / 2
    sides = (centre - half_width, centre - half_height, centre + half_width, centre + half_height)
    return torch.stack(sides, dim=-1).round()


def shifted_anchors(base: Tensor, level_sizes: Sequence[Size], strides: Sequence[int]) -> Tensor:
    """Return the anchors (A, 4) of levels of these sizes (h, w), by level, row, column, shape.

    `base` (L, S, 4), from `base_anchors`, is on the device of the result, because the host would wait for its copy.
    """
    levels = []
    for shapes, (height, width), stride in zip(base, level_sizes, strides, strict=True):
        x = torch.arange(width, device=base.device, dtype=base.dtype) * stride
        y = torch.arange(height, device=base.device, dtype=base.dtype) * stride
        corner = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)  # (h, w, 2)
        levels.append((torch.cat((corner, corner), dim=-1)[:, :, None] + shapes).reshape(-1, 4))
    return torch.cat(levels)


def inside_images(anchors: Tensor, image_sizes: Tensor) -> Tensor:
    """Return (B, A) bool: whether anchors (A, 4) lie inside of images (B, 2) of (height, width) as a whole."""
    height, width = image_sizes[:, :1], image_sizes[:, 1:]
    x1, y1, x2, y2 = anchors.unbind(dim=1)
    return (x1 >= 0) & (y1 >= 0) & (x2 < width) & (y2 < height)
