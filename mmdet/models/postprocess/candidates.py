"""The points that may become detections."""

from __future__ import annotations

import torch
from torch import Tensor

from mmdet.structures import PointGrid


def best_points_of_levels(scores: Tensor, points: PointGrid, most: int) -> Tensor:
    """Return the indices (B, k) of the `most` points of each level with the highest scores (B, P)."""
    chosen, start = [], 0
    for count in points.level_counts:
        level = scores[:, start : start + count]
        chosen.append(level.topk(min(most, count), dim=1).indices + start)
        start += count
    return torch.cat(chosen, dim=1)
