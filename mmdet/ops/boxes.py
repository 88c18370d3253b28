"""Geometry of boxes: areas, overlaps, distances of points to sides.

Boxes are half-open xyxy in any unit; leading dimensions are batch. All functions are pure and differentiable. `offset`
1 is the legacy convention that counts the last pixel (MODEL.md 10, "legacy +1").
"""

from __future__ import annotations

import torch
from torch import Tensor


def area(boxes: Tensor, offset: float = 0.0) -> Tensor:
    """Return the area (...) of boxes (..., 4)."""
    return (boxes[..., 2] - boxes[..., 0] + offset) * (boxes[..., 3] - boxes[..., 1] + offset)


def centres(boxes: Tensor) -> Tensor:
    """Return the centres (..., 2) as (x, y) of boxes (..., 4)."""
    return (boxes[..., :2] + boxes[..., 2:]) / 2


def _intersection(a: Tensor, b: Tensor, offset: float) -> Tensor:
    sides = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2]) + offset
    width, height = sides.clamp(min=0).unbind(dim=-1)
    return width * height  # the gradient of prod() would make the host wait for the GPU


def aligned_iou(a: Tensor, b: Tensor, offset: float = 0.0) -> Tensor:
    """Return the IoU (...) of boxes (..., 4) that broadcast against each other; NaN for two of zero area."""
    intersection = _intersection(a, b, offset)
    return intersection / (area(a, offset) + area(b, offset) - intersection)


def pairwise_iou(a: Tensor, b: Tensor, offset: float = 0.0) -> Tensor:
    """Return the IoU (..., N, M) of all pairs of boxes (..., N, 4) and (..., M, 4); NaN for two of zero area."""
    return aligned_iou(a.unsqueeze(-2), b.unsqueeze(-3), offset)


def giou(a: Tensor, b: Tensor, eps: float = 1e-6) -> Tensor:
    """Return the generalised IoU (...) in (-1, 1] of boxes (..., 4) that broadcast; `eps` is added to both divisors."""
    intersection = _intersection(a, b, 0.0)
    union = area(a) + area(b) - intersection + eps
    hull = torch.cat((torch.minimum(a[..., :2], b[..., :2]), torch.maximum(a[..., 2:], b[..., 2:])), dim=-1)
    hull_area = area(hull) + eps
    return intersection / union - (hull_area - union) / hull_area


def points_ltrb(points: Tensor, boxes: Tensor) -> Tensor:
    """Return the signed distances (..., P, 4) of points (P, 2) to the (left, top, right, bottom) of boxes (..., 4)."""
    boxes = boxes.unsqueeze(-2)
    return torch.cat((points - boxes[..., :2], boxes[..., 2:] - points), dim=-1)
