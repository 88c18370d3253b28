"""Maps of all pyramid levels as rows of points, and back."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

FUSED_LEVELS = 3  # strides 8, 16, 32: what masks are made from


def flatten_levels(maps: Sequence[Tensor]) -> Tensor:
    """Flatten the maps (B, C, h_l, w_l) of all levels to (B, P, C)."""
    return torch.cat([level.flatten(2) for level in maps], dim=2).transpose(1, 2)


def split_levels(rows: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """Return rows (B, P, C) as maps (B, C, h_l, w_l) of the sizes and types of `like`."""
    counts = [level.shape[-2] * level.shape[-1] for level in like]
    parts = rows.transpose(1, 2).split(counts, dim=2)
    return [part.unflatten(2, level.shape[-2:]).to(level.dtype) for level, part in zip(like, parts, strict=True)]
