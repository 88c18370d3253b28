"""The predictions of the FCOS family, flattened over the pyramid levels to P points, and what its points learn.

Axes: B images, P points of all levels (finest first, row-major within a level), K classes, E/C channels. Sources:
BASELINES.md 2.1, 2.2 (SipMask-VIS) and 4 (FCOS).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.export import register_dataclass

from mmdet.structures.head_outputs import PointGrid
from mmdet.structures.short_text import ShortText


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DenseOutputs(ShortText):
    """Predictions of B key frames. What only SipMask-VIS predicts is None in FCOS."""

    points: PointGrid
    cls_logits: Tensor  # (B, P, K)
    distances: Tensor  # (B, P, 4) input pixels from the point to left, top, right, bottom; SipMask's may be negative
    centerness_logits: Tensor  # (B, P)
    coefficients: Tensor | None = None  # (B, P, 4, E): of each quarter of the box
    mask_basis: Tensor | None = None  # (B, E, H/2, W/2)
    track_map: Tensor | None = None  # (B, C, H/8, W/8)
    reference_track_map: Tensor | None = None  # as above, of the reference frames; None in testing

    @property
    def boxes(self) -> Tensor:
        """(B, P, 4) decoded xyxy boxes, input pixels, not clamped, with gradient."""
        return decode_distances(self.points.xy, self.distances)


def decode_distances(xy: Tensor, ltrb: Tensor) -> Tensor:
    """Return the xyxy boxes (..., P, 4) at distances (..., P, 4) from points (P, 2), in the points' unit."""
    return torch.cat((xy - ltrb[..., :2], xy + ltrb[..., 2:]), dim=-1)


register_dataclass(DenseOutputs, serialized_type_name="mmdet.DenseOutputs")  # see HeadOutputs


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RangeAssignment(ShortText):
    """What every point learns. No size depends on the data."""

    labels: Tensor  # (B, P) int64: class; -1 background
    owner: Tensor  # (B, P) int64: row of the truth; without meaning for background
    ltrb: Tensor  # (B, P, 4) float32: input pixels to the sides of the owner; without meaning for background
    ignored: Tensor  # (B, P) bool: inside a crowd region and in no object; such points learn nothing

    @property
    def positive(self) -> Tensor:
        """(B, P) bool: the points that learn an object."""
        return self.labels >= 0
