"""What the points of a key frame learn: the assigner's positives and what the memory, if there is one, is to write.

The points follow from the size of the input and the strides of the levels, and the memory's targets from the boxes. The
choice of most assigners also depends on what is predicted. Without a checkpoint it is taken as equal at all points, as
in a network at its start, so the most central points are chosen; with a checkpoint the network runs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mmdet.engine.browsing.pairs import BrowsedBatch
from mmdet.models.assigners.by_range import RangeAssigner
from mmdet.models.assigners.targets import memory_targets
from mmdet.models.detectors.plus_model import PlusModel
from mmdet.models.detectors.vis_model import VISModel
from mmdet.models.heads.dynamic_mask_head import FIRST_DISTANCE
from mmdet.models.heads.predictors import PRIOR
from mmdet.structures import PaddedTruth, PointGrid
from mmdet.structures.padded_truth import FrameRows

INITIAL_SIGMA = 0.1 + 0.9 * math.log(2)  # MODEL.md 5 for an output of 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryLessons:
    """What the memory is to write of P points. `rows` are the objects that the targets belong to."""

    targets: Tensor  # (B, P, 4)
    points: Tensor  # (B, P) bool: the points that write
    rows: Tensor  # (B, P) int64


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """What the points of the key frames of a batch learn; G objects, A candidate points of each."""

    points: PointGrid
    levels: Tensor  # (P,) int64: index of the level
    slots: Tensor  # (B, G, A) int64: indices of points; without meaning if not slot_valid
    slot_valid: Tensor  # (B, G, A) bool: the point learns this object
    memory: MemoryLessons | None  # None: the model has none
    learns_references: bool  # reference frames teach what key frames do

    def learning(self, index: int) -> Tensor:
        """Return the points (P,) bool of frame `index` that learn an object."""
        marks = torch.zeros(len(self.levels), dtype=torch.bool)
        marks[self.slots[index][self.slot_valid[index]]] = True
        return marks


def how_points_are_chosen(model: VISModel | PlusModel, checkpoint: str | None) -> str:
    """Return in words which points there are, by what they are chosen, and by what prediction."""
    aligned = isinstance(model, PlusModel)
    strides = ", ".join(map(str, model.head.strides))
    chosen = f"points at strides {strides}, chosen by {type(model.criterion.assigner).__name__}"
    if isinstance(model.criterion.assigner, RangeAssigner):
        return f"{chosen}, whatever is predicted"
    if checkpoint is None:
        alike = "with scores and boxes that are alike" if aligned else "equally uncertain"
        return f"{chosen}, as by a network at its start, {alike} everywhere"
    return f"{chosen}, by the {'scores and boxes' if aligned else 'uncertainty'} that {checkpoint} predicts"


@torch.no_grad()
def make_lessons(browsed: BrowsedBatch, model: VISModel | PlusModel, runs: bool) -> Lessons:
    """Return what a batch teaches. The network `runs` if it has weights; otherwise only its settings are used."""
    truth = browsed.batch.truth_of_pairs
    if isinstance(model, PlusModel):
        points, slots, valid = _aligned(browsed, model, runs)
    elif isinstance(model.criterion.assigner, RangeAssigner):
        points, slots, valid = _by_range(browsed, model)
    else:
        points, slots, valid = _certain(browsed, model, runs)
    return Lessons(
        points=points,
        levels=torch.repeat_interleave(torch.arange(len(points.level_counts)), torch.tensor(points.level_counts)),
        slots=slots,
        slot_valid=valid,
        memory=None if getattr(model.head, "memory", None) is None else _memory(points, truth),
        learns_references=isinstance(model, PlusModel),
    )


def _certain(browsed: BrowsedBatch, model: VISModel, runs: bool) -> tuple[PointGrid, Tensor, Tensor]:
    """Return the points, and those chosen by the uncertainty (B, P, 4) of boxes."""
    points = _points(browsed, model)
    if runs:
        sigma = model(*_inputs(browsed, model)).box_sigma.float().cpu()
    else:
        sigma = torch.full((len(browsed.samples), len(points.xy), 4), INITIAL_SIGMA)
    found = model.criterion.assigner(points, sigma, browsed.batch.truth_of_pairs)
    return points, found.slots, found.slot_valid


def _by_range(browsed: BrowsedBatch, model: VISModel) -> tuple[PointGrid, Tensor, Tensor]:
    """Return the points, and those chosen by the sizes of objects alone: each object has a slot for every point."""
    points, truth = _points(browsed, model), browsed.batch.truth_of_pairs
    found = model.criterion.assigner(points, truth)
    clips, objects = truth.valid.shape
    slots = torch.arange(len(points.xy)).expand(clips, objects, -1)
    own = found.owner[:, None] == torch.arange(objects)[:, None]
    return points, slots, own & found.positive[:, None]


def _aligned(browsed: BrowsedBatch, model: PlusModel, runs: bool) -> tuple[PointGrid, Tensor, Tensor]:
    """Return the points, and those chosen by class scores and boxes."""
    points, truth, clips = _points(browsed, model), browsed.batch.truth_of_pairs, len(browsed.samples)
    if runs:
        outputs = model(*_inputs(browsed, model))
        probs, boxes = outputs.cls_logits[:clips].sigmoid().cpu(), outputs.boxes[:clips].cpu()
    else:
        counts = torch.tensor(points.level_counts)
        strides = torch.repeat_interleave(torch.tensor(points.strides, dtype=torch.float32), counts)
        boxes = points.decode(FIRST_DISTANCE * strides[:, None] / points.box_scale).expand(clips, -1, -1)
        probs = torch.full((clips, len(points.xy), model.num_classes), PRIOR)
    keys = FrameRows(
        boxes=truth.boxes,
        labels=truth.labels,
        valid=truth.valid,
        is_crowd=truth.is_crowd,
        half_masks=truth.half_masks,
        ids=torch.full_like(truth.labels, -1),
    )
    found = model.criterion.assigner(points, probs, boxes, keys)
    return points, found.slots, found.valid


def _points(browsed: BrowsedBatch, model: VISModel | PlusModel) -> PointGrid:
    """Return the points of the input."""
    height, width = browsed.batch.images.shape[-2:]
    strides = model.head.strides
    sizes = tuple((-(-height // stride), -(-width // stride)) for stride in strides)
    return PointGrid.make((height, width), sizes, strides, torch.device("cpu"))


def _inputs(browsed: BrowsedBatch, model: VISModel | PlusModel) -> tuple[Tensor, Tensor]:
    """Return what the network predicts from, on its device."""
    device = next(model.parameters()).device
    return browsed.batch.images.to(device), browsed.batch.valid.to(device)


def _memory(points: PointGrid, truth: PaddedTruth) -> MemoryLessons:
    targets, writes = memory_targets(points, truth)
    return MemoryLessons(targets=targets, points=writes, rows=_rows_of_targets(points, targets, truth))


def _rows_of_targets(points: PointGrid, targets: Tensor, truth: PaddedTruth) -> Tensor:
    """Return for every point the object (B, P) whose box its memory target (B, P, 4) describes."""
    ltrb = (targets / 2 + 0.5) * points.box_scale
    boxes = torch.cat((points.xy - ltrb[..., :2], points.xy + ltrb[..., 2:]), dim=-1)
    differences = (boxes.unsqueeze(1) - truth.boxes.unsqueeze(2)).abs().sum(dim=-1)
    return differences.masked_fill(~truth.valid.unsqueeze(2), torch.inf).argmin(dim=1)
