"""The truth of a batch as tensors of fixed sizes, and what points should learn from it.

Everything is padded to the batch's largest number of objects and masked, so that nothing on the device decides a
shape. Knows nothing of predictions. Source: MODEL.md 3.3 and 6; crowd and memory rules of MODEL.md 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from mmdet.ops.boxes import area, centres, points_ltrb
from mmdet.ops.sampling import rows_at
from mmdet.structures import ClipBatch, PointGrid

CENTERNESS_EPS = 1e-9  # MODEL.md 6, centerness target


@dataclass(frozen=True, slots=True, kw_only=True)
class PaddedTruth:
    """The truth of B pairs: G rows a key frame, R rows a reference frame, at least 1 each; boxes in input pixels.

    Crowd regions keep their rows: not `valid`, but `is_crowd`.
    """

    boxes: Tensor  # (B, G, 4) float32, zeros in the padding
    labels: Tensor  # (B, G) int64, 0-based
    valid: Tensor  # (B, G) bool: an object
    is_crowd: Tensor  # (B, G) bool: a crowd region
    half_masks: Tensor  # (B, G, H/2, W/2) bool
    reference_boxes: Tensor  # (B, R, 4) float32, jittered
    reference_valid: Tensor  # (B, R) bool
    match: Tensor  # (B, G) int64: row of the same object in the reference frame, or -1

    @property
    def has_objects(self) -> Tensor:
        """(B,) bool: the key frame shows an object."""
        return self.valid.any(dim=1)


def _pad(rows: Sequence[Tensor]) -> Tensor:
    """Stack tensors (n_i, ...) to (B, max(1, n_i), ...), padded with zeros."""
    stacked = rows[0].new_zeros(len(rows), max(1, *(len(row) for row in rows)), *rows[0].shape[1:])
    for index, row in enumerate(rows):
        stacked[index, : len(row)] = row
    return stacked


def jitter_boxes(boxes: Tensor, offsets: Tensor) -> Tensor:
    """Move the centres of boxes (N, 4) by offsets[:, :2] and stretch their sides by offsets[:, 2:] (fractions)."""
    sides = boxes[:, 2:] - boxes[:, :2]
    centre = centres(boxes) + sides * offsets[:, :2]
    half = sides * (1 + offsets[:, 2:]) / 2
    return torch.cat((centre - half, centre + half), dim=1)


def _halve(masks: Tensor) -> Tensor:
    """Masks (N, H, W) bool at half size: a pixel is set if more than half of its four are (bilinear x0.5, > 0.5)."""
    return F.avg_pool2d(masks.float().unsqueeze(1), 2).squeeze(1) > 0.5


@torch.no_grad()
def pad_truths(batch: ClipBatch) -> PaddedTruth:
    """Pad the truths of pairs (key, reference) and find every object in its reference frame."""
    keys = [clip[0] for clip in batch.truths]
    references = [clip[1] for clip in batch.truths]
    listed = _pad([torch.ones_like(key.is_crowd) for key in keys])
    is_crowd = _pad([key.is_crowd for key in keys])
    reference_valid = _pad([~reference.is_crowd for reference in references])
    key_ids = _pad([key.instance_ids for key in keys])
    reference_ids = _pad([reference.instance_ids for reference in references])
    valid = listed & ~is_crowd
    same = (key_ids.unsqueeze(2) == reference_ids.unsqueeze(1)) & valid.unsqueeze(2) & reference_valid.unsqueeze(1)
    return PaddedTruth(
        boxes=_pad([key.boxes for key in keys]),
        labels=_pad([key.labels for key in keys]),
        valid=valid,
        is_crowd=is_crowd,
        half_masks=_pad([_halve(key.masks) for key in keys]),
        reference_boxes=_pad(
            [jitter_boxes(ref.boxes, jitter) for ref, jitter in zip(references, batch.reference_jitter, strict=True)]
        ),
        reference_valid=reference_valid,
        match=torch.where(same.any(dim=2), same.int().argmax(dim=2), -1),
    )


def inside_boxes(points: PointGrid, boxes: Tensor, valid: Tensor, strict: bool = False) -> Tensor:
    """Return (B, G, P) bool: the point lies in the valid box (B, G, 4), its border included unless `strict`."""
    nearest_side = points_ltrb(points.xy, boxes).amin(dim=-1)
    return (nearest_side > 0 if strict else nearest_side >= 0) & valid.unsqueeze(2)


def closest_objects(points: PointGrid, truth: PaddedTruth, contained: bool = False) -> tuple[Tensor, Tensor]:
    """Return the object with the nearest centre (B, P) and the distance to it in input pixels, inf where there is none.

    `contained` asks for an object whose box contains the point.
    """
    distance = (points.xy - centres(truth.boxes).unsqueeze(2)).norm(dim=-1)
    candidates = inside_boxes(points, truth.boxes, truth.valid) if contained else truth.valid.unsqueeze(2)
    nearest = distance.masked_fill(~candidates, torch.inf).min(dim=1)
    return nearest.indices, nearest.values


def centerness_target(points: PointGrid, truth: PaddedTruth) -> Tensor:
    """Return the targets (B, P) in [0, 1]: on the finest level the largest of all objects, resized to the others."""
    height, width = points.level_sizes[0]
    ltrb = points_ltrb(points.xy[: height * width], truth.boxes).clamp(min=0)
    near, far = torch.minimum(ltrb[..., :2], ltrb[..., 2:]), torch.maximum(ltrb[..., :2], ltrb[..., 2:])
    centerness = (near / (far + CENTERNESS_EPS)).prod(dim=-1) * truth.valid.unsqueeze(2)
    finest = centerness.amax(dim=1).sqrt().view(-1, 1, height, width)
    coarser = [F.interpolate(finest, size=size, mode="bilinear").flatten(1) for size in points.level_sizes[1:]]
    return torch.cat([finest.flatten(1), *coarser], dim=1)


@torch.no_grad()
def memory_targets(points: PointGrid, truth: PaddedTruth) -> tuple[Tensor, Tensor]:
    """Return what the memory stores beside each point's feature (B, P, 4), and which points are foreground (B, P) bool.

    A foreground point lies strictly inside an object; its target is 2 * (ltrb / (W, H, W, H) - 0.5) to the sides of the
    smallest such object (MODEL.md 10, Q1 and Q2: the release took others). Elsewhere the target means nothing.
    """
    inside = inside_boxes(points, truth.boxes, truth.valid, strict=True)
    smallest = torch.where(inside, area(truth.boxes).unsqueeze(2), torch.inf).argmin(dim=1)
    ltrb = points_ltrb(points.xy.unsqueeze(1), rows_at(truth.boxes, smallest)).squeeze(2)
    return 2 * (ltrb / points.box_scale - 0.5), inside.any(dim=1)
