"""The assigner of the published model: of the points nearest to an object, those that are central and certain learn.

Source: MODEL.md 6 ("Assigner 'uncert'"), quirk Q22 of MODEL.md 10 an option.
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
    """Takes for every object the `topk` points of each level with the largest centerness minus uncertainty.

    Only then are points outside of every box left out, so an object may get fewer, or none. Of the other points those
    with more uncertainty than centerness are negative, the rest is ignored. `contained` lets points compete only for
    objects whose box contains them, so that every object gets its points; the release does not (Q22).
    """

    def __init__(self, topk: Count = 4, contained: bool = False) -> None:
        self.topk, self.contained = topk, contained

    @torch.no_grad()
    def __call__(self, points: PointGrid, box_sigma: Tensor, truth: PaddedTruth) -> Assignment:
        """Assign the points of predictions with standard deviations `box_sigma` (B, P, 4)."""
        closest, distance = closest_objects(points, truth, self.contained)
        centerness = centerness_target(points, truth)
        value = centerness - mean_uncertainty(box_sigma)
        candidates = value.masked_fill(distance.isinf(), -torch.inf) if self.contained else value
        slots, taken = best_points(candidates, closest, truth.valid.shape[1], points.level_counts, self.topk)
        return make_assignment(points, truth, closest, centerness, slots, taken, may_be_negative=value < 0)


def mean_uncertainty(box_sigma: Tensor) -> Tensor:
    """Return the mean standard deviation (B, P) of the sides (B, P, 4), at most 1."""
    return box_sigma.mean(dim=-1).clamp(max=1)
