"""Targets of the points, from the padded truth of a batch: nearest object, centerness, and what the memory stores.

No tensor's size depends on the data. Source: MODEL.md 3.3 and 6; memory rules of MODEL.md 10.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mmdet.ops.boxes import area, centres, points_ltrb
from mmdet.ops.sampling import rows_at
from mmdet.structures import PaddedTruth, PointGrid
from mmdet.structures.padded_truth import FrameRows

CENTERNESS_EPS = 1e-9  # MODEL.md 6, centerness target


def inside_boxes(points: PointGrid, boxes: Tensor, valid: Tensor, strict: bool = False) -> Tensor:
    """Return (B, G, P) bool: whether the point lies in the valid box (B, G, 4). Its border counts unless `strict`."""
    nearest_side = points_ltrb(points.xy, boxes).amin(dim=-1)
    return (nearest_side > 0 if strict else nearest_side >= 0) & valid.unsqueeze(2)


def closest_objects(points: PointGrid, truth: PaddedTruth, contained: bool = False) -> tuple[Tensor, Tensor]:
    """Return the object with the nearest centre (B, P) and the distance to it in input pixels (inf without an object).

    With `contained` only objects whose box contains the point count.
    """
    distance = (points.xy - centres(truth.boxes).unsqueeze(2)).norm(dim=-1)
    candidates = inside_boxes(points, truth.boxes, truth.valid) if contained else truth.valid.unsqueeze(2)
    nearest = distance.masked_fill(~candidates, torch.inf).min(dim=1)
    return nearest.indices, nearest.values


def centerness_target(points: PointGrid, truth: PaddedTruth) -> Tensor:
    """Return the targets (B, P) in [0, 1]: the maximum over objects on the finest level, resized to the others."""
    height, width = points.level_sizes[0]
    ltrb = points_ltrb(points.xy[: height * width], truth.boxes).clamp(min=0)
    near, far = torch.minimum(ltrb[..., :2], ltrb[..., 2:]), torch.maximum(ltrb[..., :2], ltrb[..., 2:])
    centerness = (near / (far + CENTERNESS_EPS)).prod(dim=-1) * truth.valid.unsqueeze(2)
    finest = centerness.amax(dim=1).sqrt().view(-1, 1, height, width)
    coarser = [F.interpolate(finest, size=size, mode="bilinear").flatten(1) for size in points.level_sizes[1:]]
    return torch.cat([finest.flatten(1), *coarser], dim=1)


@torch.no_grad()
def memory_targets(points: PointGrid, truth: PaddedTruth | FrameRows) -> tuple[Tensor, Tensor]:
    """Return what the memory stores beside each point's feature (B, P, 4), and which points are foreground (B, P) bool.

    A foreground point lies strictly inside an object; its target is 2 * (ltrb / (W, H, W, H) - 0.5) to the sides of the
    smallest such object (the release took others: MODEL.md 10, Q1 and Q2). Elsewhere the target has no meaning.
    """
    inside = inside_boxes(points, truth.boxes, truth.valid, strict=True)
    smallest = torch.where(inside, area(truth.boxes).unsqueeze(2), torch.inf).argmin(dim=1)
    ltrb = points_ltrb(points.xy.unsqueeze(1), rows_at(truth.boxes, smallest)).squeeze(2)
    return 2 * (ltrb / points.box_scale - 0.5), inside.any(dim=1)
