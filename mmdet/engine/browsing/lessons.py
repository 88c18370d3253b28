"""What the points of a key frame learn: the assigner's positives and what the memory is to write.

The points follow from the size of the input and the strides of the levels, and the memory's targets from the boxes. The
choice of the uncertainty assigner also depends on the predicted uncertainty. Without a checkpoint it is taken as equal
at all points, as in a network at its start, so the most central points are chosen; with a checkpoint the network runs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mmdet.engine.browsing.pairs import BrowsedBatch
from mmdet.models.assigners.targets import memory_targets
from mmdet.models.detectors.vis_model import VISModel
from mmdet.structures import Assignment, PaddedTruth, PointGrid

INITIAL_SIGMA = 0.1 + 0.9 * math.log(2)  # MODEL.md 5 for an output of 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """What the points of a batch learn. `memory_rows` (B, P) are the objects that the memory's targets belong to."""

    points: PointGrid
    levels: Tensor  # (P,) int64: index of the level
    assignment: Assignment
    memory_targets: Tensor  # (B, P, 4)
    memory_points: Tensor  # (B, P) bool: the points that write
    memory_rows: Tensor  # (B, P) int64


def strides_and_assigner(model: VISModel) -> str:
    """Return in words which points there are and how they are chosen."""
    strides = ", ".join(map(str, model.head.strides))
    return f"points at strides {strides}, chosen by {type(model.criterion.assigner).__name__}"


@torch.no_grad()
def make_lessons(browsed: BrowsedBatch, model: VISModel, runs: bool) -> Lessons:
    """Return what a batch teaches. The network `runs` if it has weights; otherwise only its settings are used."""
    truth = browsed.batch.truth_of_pairs
    points, sigma = _predicted(browsed, model) if runs else _at_the_start(browsed, model)
    targets, writes = memory_targets(points, truth)
    levels = torch.repeat_interleave(torch.arange(len(points.level_counts)), torch.tensor(points.level_counts))
    return Lessons(
        points=points,
        levels=levels,
        assignment=model.criterion.assigner(points, sigma, truth),
        memory_targets=targets,
        memory_points=writes,
        memory_rows=_rows_of_targets(points, targets, truth),
    )


def _at_the_start(browsed: BrowsedBatch, model: VISModel) -> tuple[PointGrid, Tensor]:
    """Return the points of the input and a sigma (B, P, 4) that is equal everywhere."""
    clips, height, width = len(browsed.samples), *browsed.batch.images.shape[-2:]
    strides = model.head.strides
    sizes = tuple((-(-height // stride), -(-width // stride)) for stride in strides)
    points = PointGrid.make((height, width), sizes, strides, torch.device("cpu"))
    return points, torch.full((clips, len(points.xy), 4), INITIAL_SIGMA)


def _predicted(browsed: BrowsedBatch, model: VISModel) -> tuple[PointGrid, Tensor]:
    """Return the points and the sigma that the network predicts in training mode."""
    device = next(model.parameters()).device
    outputs = model(browsed.batch.images.to(device), browsed.batch.valid.to(device))
    size, sizes, strides = outputs.points.image_size, outputs.points.level_sizes, outputs.points.strides
    return PointGrid.make(size, sizes, strides, torch.device("cpu")), outputs.box_sigma.float().cpu()


def _rows_of_targets(points: PointGrid, targets: Tensor, truth: PaddedTruth) -> Tensor:
    """Return for every point the object (B, P) whose box its memory target (B, P, 4) describes."""
    ltrb = (targets / 2 + 0.5) * points.box_scale
    boxes = torch.cat((points.xy - ltrb[..., :2], points.xy + ltrb[..., 2:]), dim=-1)
    differences = (boxes.unsqueeze(1) - truth.boxes.unsqueeze(2)).abs().sum(dim=-1)
    return differences.masked_fill(~truth.valid.unsqueeze(2), torch.inf).argmin(dim=1)
