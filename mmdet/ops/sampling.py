"""Read rows by their index, and feature maps at the centres of boxes."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from mmdet.ops.boxes import centres

Rounding = Literal["floor", "round"]


def rows_at(values: Tensor, index: Tensor) -> Tensor:
    """Return for every item of a batch the rows (B, ..., D...) of values (B, P, D...) at the indices (B, ...)."""
    flat = index.flatten(1)
    row_shape = values.shape[2:]
    flat = flat.view(*flat.shape, *(1 for _ in row_shape)).expand(-1, -1, *row_shape)
    return values.gather(1, flat).view(*index.shape, *row_shape)


def sample_at_centres(maps: Tensor, boxes: Tensor, stride: int = 8, rounding: Rounding = "floor") -> Tensor:
    """Return the features (B, N, E) of maps (B, E, h, w) in the cells of the centres of boxes (B, N, 4).

    Boxes are in pixels; a cell is `stride` pixels wide. Cells are clamped to the map. "floor" is the rule of mask
    coefficients and of training, "round" (half to even) that of the tracker (MODEL.md 6, 7.6).
    """
    height, width = maps.shape[-2:]
    cells = centres(boxes) / stride
    cells = (cells.floor() if rounding == "floor" else cells.round()).long()
    x = cells[..., 0].clamp(0, width - 1)
    y = cells[..., 1].clamp(0, height - 1)
    return rows_at(maps.flatten(2).transpose(1, 2), y * width + x)
