"""The head's predictions for a batch, flattened over the pyramid levels to P points, and the assigner's choice.

Axes: B images, P points of all levels (finest first, row-major within a level), K classes, C/E channels, G truth
objects (padded to the batch's largest number), A candidate points per object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.export import register_dataclass

from mmdet.structures.frames import Size
from mmdet.structures.short_text import ShortText

BASIS_STRIDE = 2  # input pixels per pixel of the mask basis


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PointGrid(ShortText):
    """The points of all pyramid levels on a padded input: x = j * s + s / 2, y = i * s + s / 2 (MODEL.md 3.2)."""

    xy: Tensor  # (P, 2) float32, input pixels
    box_scale: Tensor  # (4,) float32 = (W, H, W, H) of the padded input: the unit of normalised box sides
    image_size: Size  # of the padded input
    level_sizes: tuple[Size, ...]  # (h, w) of every level
    strides: tuple[int, ...]  # input pixels between the points of every level

    @staticmethod
    def make(
        image_size: Size, level_sizes: tuple[Size, ...], strides: tuple[int, ...], device: torch.device
    ) -> PointGrid:
        """Make the points of levels with `level_sizes` and `strides`."""
        levels = []
        for (height, width), stride in zip(level_sizes, strides, strict=True):
            y = (torch.arange(height, device=device, dtype=torch.float32) + 0.5) * stride
            x = (torch.arange(width, device=device, dtype=torch.float32) + 0.5) * stride
            levels.append(torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).reshape(-1, 2))
        # filled on the device, because the host would wait for the copy of a tensor made from a list
        box_scale = torch.full((4,), image_size[1], dtype=torch.float32, device=device)
        box_scale[1::2].fill_(image_size[0])
        return PointGrid(
            xy=torch.cat(levels),
            box_scale=box_scale,
            image_size=image_size,
            level_sizes=level_sizes,
            strides=strides,
        )

    @staticmethod
    def of_pyramid(pyramid: Sequence[Tensor], strides: tuple[int, ...]) -> PointGrid:
        """Make the points of maps (B, C, h, w), the finest first, whose input is as large as the finest says."""
        sizes = tuple((level.shape[-2], level.shape[-1]) for level in pyramid)
        image_size = (sizes[0][0] * strides[0], sizes[0][1] * strides[0])
        return PointGrid.make(image_size, sizes, strides, pyramid[0].device)

    @property
    def level_counts(self) -> list[int]:
        """Number of points of every level."""
        return [height * width for height, width in self.level_sizes]

    def decode(self, box_ltrb: Tensor) -> Tensor:
        """Convert normalised distances (..., P, 4) to xyxy boxes in input pixels, with each side clamped to the input.

        MODEL.md 5: box = point -/+ distance in units of the input's size, clamped to [0, 1].
        """
        scale = self.box_scale
        centre = self.xy / scale[:2]
        corners = torch.cat((centre - box_ltrb[..., :2], centre + box_ltrb[..., 2:]), dim=-1)
        return corners.clamp(0, 1) * scale


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class HeadOutputs(ShortText):
    """The head's prediction for B key frames (MODEL.md 3 and 5)."""

    points: PointGrid
    cls_logits: Tensor  # (B, P, K)
    box_ltrb: Tensor  # (B, P, 4) in (0, 1): distances to the box sides, fractions of (W, H, W, H)
    box_sigma: Tensor  # (B, P, 4) > 0.1: std of the sides, fractions of (W, H, W, H)
    centerness_logits: Tensor  # (B, P)
    mask_basis: Tensor  # (B, E, H/2, W/2)
    embedding_map: Tensor  # (B, E, H/8, W/8)
    reference_embedding_map: Tensor | None  # as above, of the reference frames; None in testing
    memory_query: Tensor  # (B, P, C): the query for the memory

    @property
    def boxes(self) -> Tensor:
        """(B, P, 4) decoded xyxy boxes, input pixels, with gradient."""
        return self.points.decode(self.box_ltrb)


register_dataclass(PointGrid, serialized_type_name="mmdet.PointGrid")  # so that torch.export takes a network's outputs
register_dataclass(HeadOutputs, serialized_type_name="mmdet.HeadOutputs")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Assignment(ShortText):
    """The points that learn each object. Every object has A candidate slots, so that no size depends on the data."""

    slots: Tensor  # (B, G, A) int64: indices of points; without meaning if not slot_valid
    slot_valid: Tensor  # (B, G, A) bool: the point is a positive of this object
    positive: Tensor  # (B, P) bool
    negative: Tensor  # (B, P) bool: points that are neither positive nor negative are ignored
    in_box: Tensor  # (B, P) bool: inside some object's box, closed on all sides
    closest: Tensor  # (B, P) int64: the object with the nearest centre, even if no object contains the point
    centerness: Tensor  # (B, P) float32 in [0, 1]: target
