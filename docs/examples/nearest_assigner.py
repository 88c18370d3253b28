"""An assigner: which points learn which object. Here the few of each level that are nearest to its centre."""

from __future__ import annotations

import torch
from torch import Tensor

from mmdet.config.ranges import Count
from mmdet.models.assigners.candidates import best_points, make_assignment
from mmdet.models.assigners.targets import centerness_target, closest_objects
from mmdet.registry import ASSIGNERS
from mmdet.structures import Assignment, PaddedTruth, PointGrid


@ASSIGNERS.register_module()
class NearestAssigner:
    """Every object gets up to `per_level` points of each level; all others are background."""

    def __init__(self, per_level: Count = 4) -> None:
        self.per_level = per_level

    @torch.no_grad()
    def __call__(self, points: PointGrid, box_sigma: Tensor, truth: PaddedTruth) -> Assignment:
        """Assign the P points of B images; `box_sigma` (B, P, 4) is what the head says of its uncertainty.

        Objects are padded to G an image, and an object has a fixed number of slots, so that no size depends on the
        data: nothing here may make the host wait for the GPU, such as `nonzero` or a loop over objects.
        """
        closest, distance = closest_objects(points, truth)  # (B, P) each
        count = truth.valid.shape[1]
        slots, filled = best_points(-distance, closest, count, points.level_counts, self.per_level)
        return make_assignment(points, truth, closest, centerness_target(points, truth), slots, filled)
