"""The plain assigner: the points near an object's centre learn, all others are background.

Source: MODEL.md 10 ("Assigners"); center sampling of FCOS (Tian et al., 2019).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mmdet.config.ranges import Positive
from mmdet.models.assigners.candidates import best_points, make_assignment
from mmdet.models.assigners.targets import centerness_target, closest_objects
from mmdet.ops.sampling import rows_at
from mmdet.registry import ASSIGNERS
from mmdet.structures import Assignment, PaddedTruth, PointGrid


@ASSIGNERS.register_module()
class CenterAssigner:
    """Assigns points that lie inside a box and less than `radius` strides of their level from the closest centre.

    The release's mode 'none' equals radius 3.0, because its distances are in half pixels.
    """

    def __init__(self, radius: Positive = 1.5) -> None:
        self.radius = radius

    @torch.no_grad()
    def __call__(self, points: PointGrid, box_sigma: Tensor, truth: PaddedTruth) -> Assignment:
        """Assign the points. `box_sigma` (B, P, 4) is not used here; other assigners need it."""
        closest, distance = closest_objects(points, truth)
        centerness = centerness_target(points, truth)
        slots, near = self.nearest_points(distance, closest, truth.valid.shape[1], points.level_counts, points.strides)
        return make_assignment(points, truth, closest, centerness, slots, near)

    def nearest_points(
        self, distance: Tensor, closest: Tensor, num_objects: int, level_counts: list[int], strides: tuple[int, ...]
    ) -> tuple[Tensor, Tensor]:
        """Return slots (B, G, A) and whether their point is within the radius. `distance` (B, P) is in pixels."""
        reach = torch.cat(
            [
                distance.new_full((count,), self.radius * stride)
                for count, stride in zip(level_counts, strides, strict=True)
            ]
        )
        most = math.ceil(2 * self.radius) ** 2  # grid points in an open square with a side of twice the radius
        slots, taken = best_points(-distance, closest, num_objects, level_counts, most)
        return slots, taken & rows_at(distance < reach, slots)
