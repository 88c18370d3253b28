"""The points that may become detections, and their boxes in the pixels of the network's input or of the frame."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mmdet.ops.nms import NEVER_KEPT
from mmdet.structures import FrameMeta, PointGrid


def best_points_of_levels(scores: Tensor, points: PointGrid, most: int) -> Tensor:
    """Return the indices (B, k) of the `most` points of each level with the highest scores (B, P)."""
    chosen, start = [], 0
    for count in points.level_counts:
        level = scores[:, start : start + count]
        chosen.append(level.topk(min(most, count), dim=1).indices + start)
        start += count
    return torch.cat(chosen, dim=1)


def in_original_pixels(boxes: Tensor, metas: Sequence[FrameMeta] | None) -> Tensor:
    """Return boxes (B, N, 4) of the input in the pixels of the original frames; without metas they stay as they are."""
    return boxes if metas is None else torch.stack([own / meta.scale for own, meta in zip(boxes, metas, strict=True)])


def in_input_pixels(boxes: Tensor, metas: Sequence[FrameMeta] | None) -> Tensor:
    """Return boxes (B, N, 4) of the original frames in the pixels of the input; without metas they stay as they are."""
    return boxes if metas is None else torch.stack([own * meta.scale for own, meta in zip(boxes, metas, strict=True)])


def of_solid_boxes(scores: Tensor, boxes: Tensor) -> Tensor:
    """Return scores (B, N, K), those of boxes (B, N, 4) without area so low that no NMS keeps them.

    Two boxes without area overlap by 0 / 0, for which a fast NMS would drop both (MODEL.md 10; BASELINES.md 6, B3).
    """
    solid = (boxes[..., 2] > boxes[..., 0]) & (boxes[..., 3] > boxes[..., 1])
    return scores.where(solid[..., None], NEVER_KEPT)
