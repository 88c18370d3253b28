"""Crop-split: each quarter of a box shows the part of a mask map of its own. Source: BASELINES.md 2.4 (SipMask)."""

from __future__ import annotations

import torch
from torch import Tensor

QUARTERS = 4  # top left, top right, bottom left, bottom right
OUTSIDE = -1
MARGIN_PX = 0.1  # added to the sides, so that no pixel inside lies on a third half


def quarters_of(boxes: Tensor, height: int, width: int) -> Tensor:
    """Return (N, height, width) int8: in which quarter of its half-open box (N, 4) each pixel lies, or OUTSIDE."""
    column, in_columns = _halves(boxes[:, 0], boxes[:, 2], width)
    row, in_rows = _halves(boxes[:, 1], boxes[:, 3], height)
    quarter = 2 * row[:, :, None] + column[:, None, :]
    return quarter.where(in_rows[:, :, None] & in_columns[:, None, :], OUTSIDE)


def _halves(low: Tensor, high: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return (N, count) int8: the half, 0 or 1, in which each coordinate 0, 1, ... lies, and whether it is inside."""
    at = torch.arange(count, device=low.device, dtype=low.dtype)
    low, high = low[:, None], high[:, None]
    half = (((high - low).double() + MARGIN_PX) / 2).to(low.dtype)
    inside = (at >= low) & (at < high)
    return ((at - low) / half).where(inside, 0).to(torch.int8), inside


def crop_split(masks: Tensor, boxes: Tensor) -> Tensor:
    """Return (N, h, w): of masks (N, 4, h, w) the map of the quarter in which the pixel lies, 0 outside of the box.

    Boxes (N, 4) are in the masks' own pixels and get no gradient; of the maps, the chosen one gets it.
    """
    quarter = quarters_of(boxes.detach(), masks.shape[-2], masks.shape[-1])
    chosen = torch.zeros_like(masks[:, 0])
    for number in range(QUARTERS):
        chosen = torch.where(quarter == number, masks[:, number], chosen)
    return chosen
