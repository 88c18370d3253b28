"""The assigner of the published model: of the points nearest to an object, the central and certain ones learn it.

Source: MODEL.md 6 ("Assigner 'uncert'"), quirk Q22 of MODEL.md 10 is an option.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmdet.config.ranges import Count
from mmdet.models.assigners.candidates import best_points, make_assignment
from mmdet.models.assigners.targets import centerness_target, closest_objects
from mmdet.registry import ASSIGNERS
from mmdet.structures import Assignment, PaddedTruth, PointGrid


@ASSIGNERS.register_module()
class UncertaintyAssigner:
    """Assigns to every object the `topk` points of each level with the largest centerness minus uncertainty.

    Points outside of every box are removed afterwards, so an object may get fewer points or none. Of the points that
    are not assigned, those with more uncertainty than centerness are negative; the others are ignored. With `contained`
    a point competes only for objects whose box contains it, so that every object gets its points; the release does not
    do this (Q22).
    """

    def __init__(self, topk: Count = 4, contained: bool = False) -> None:
        self.topk, self.contained = topk, contained

    @torch.no_grad()
    def __call__(self, points: PointGrid, box_sigma: Tensor, truth: PaddedTruth) -> Assignment:
        """Assign the points. `box_sigma` (B, P, 4) are the standard deviations of the predicted boxes."""
        closest, distance = closest_objects(points, truth, self.contained)
        centerness = centerness_target(points, truth)
        value = centerness - mean_uncertainty(box_sigma)
        candidates = value.masked_fill(distance.isinf(), -torch.inf) if self.contained else value
        slots, taken = best_points(candidates, closest, truth.valid.shape[1], points.level_counts, self.topk)
        return make_assignment(points, truth, closest, centerness, slots, taken, may_be_negative=value < 0)


def mean_uncertainty(box_sigma: Tensor) -> Tensor:
    """Return the mean standard deviation (B, P) of the sides (B, P, 4), at most 1."""
    return box_sigma.mean(dim=-1).clamp(max=1)
