"""Recorded numbers of training with the recorded samples: assignments of proposals, all losses and gradients.

Source: BASELINES.md 3.2, 3.4 to 3.6 and 7. Every function yields `Check`s; `arrays` are those of train.npz.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmdet.engine.checkpoints.baseline_names import baseline_name
from mmdet.engine.checkpoints.two_stage_names import join_class_rows
from mmdet.models.detectors.two_stage_model import TwoStageModel
from mmdet.parity.checks import Check, absolute, equal, of_maximum, same_members
from mmdet.parity.masktrack_rcnn.inference import SYSTEM, inputs_of
from mmdet.parity.masktrack_rcnn.regions import IMAGES, Arrays, recorded_masks
from mmdet.structures import ClipBatch, FrameMeta, FrameTruth
from mmdet.structures.two_stage_outputs import Proposals, Samples, TwoStageOutputs

LOSS_TOLERANCE = 1e-4
ACCURACY_TOLERANCE = 1e-6
NORM_TOLERANCE = 1e-3  # relative, of the norm of a parameter's gradient
GRADIENT_TOLERANCE = 1e-3  # of an array's maximum
LARGEST_SHIFT = 1e-3  # pixels, between recorded proposals and those computed here
LOSSES = {  # here: in the release
    "loss_rpn_cls": "loss_rpn_cls",
    "loss_rpn_box": "loss_rpn_reg",
    "loss_cls": "loss_cls",
    "loss_box": "loss_reg",
    "loss_match": "loss_match",
    "loss_mask": "loss_mask",
}


def make_batch(arrays: Arrays, notes: Mapping[str, Any]) -> ClipBatch:
    """Return the recorded pairs. A pid p > 0 is row p - 1 of the reference; 0 is not in the reference."""
    (keys, valid), (references, _) = (inputs_of(arrays, notes, name) for name in ("img_q", "ref_q"))
    size = (keys.shape[-2], keys.shape[-1])
    meta = FrameMeta(video_id=1, frame_index=0, original_size=size, input_size=size, scale=1.0)
    truths = [_truths(arrays, image, size) for image in IMAGES]
    return ClipBatch.make(
        images=torch.stack((keys, references), dim=1),
        valid=torch.stack((valid, valid), dim=1),
        truths=truths,
        metas=[(meta, meta)] * len(keys),
        reference_jitter=[torch.zeros(len(reference), 4) for _, reference in truths],
        whole_masks=True,
    )


def _truths(arrays: Arrays, image: int, size: tuple[int, int]) -> tuple[FrameTruth, FrameTruth]:
    pids, reference = arrays[f"pids_{image}"].tolist(), torch.from_numpy(arrays[f"ref_{image}"])
    absent = len(reference) + 1
    key = FrameTruth(
        boxes=torch.from_numpy(arrays[f"boxes_{image}"]),
        labels=torch.from_numpy(arrays[f"labels_{image}"]) - 1,
        masks=recorded_masks(arrays, image, size),
        instance_ids=torch.tensor([pid if pid > 0 else absent + row for row, pid in enumerate(pids)]),
        is_crowd=torch.zeros(len(pids), dtype=torch.bool),
    )
    return key, FrameTruth(
        boxes=reference,
        labels=torch.zeros(len(reference), dtype=torch.int64),
        masks=torch.zeros(len(reference), 0, 0, dtype=torch.bool),
        instance_ids=torch.arange(1, len(reference) + 1),
        is_crowd=torch.zeros(len(reference), dtype=torch.bool),
    )


@torch.no_grad()
def assignment_checks(model: TwoStageModel, arrays: Arrays, notes: Mapping[str, Any]) -> Iterator[Check]:
    """Compare the proposals of training, and the objects that the recorded ones are assigned to, counted from 1."""
    batch = make_batch(arrays, notes)
    outputs = model(batch.images, batch.valid)
    for image in IMAGES:
        expected = arrays[f"proposals_{image}"]
        yield absolute("proposals", outputs.proposals.boxes[image], expected[:, :4], LARGEST_SHIFT)
        yield absolute("scores of proposals", outputs.proposals.scores[image], expected[:, 4], 1e-5)
    regions = model.criterion.assign(with_recorded_proposals(outputs, arrays), batch.truth_of_pairs).regions
    rows = batch.truth_of_pairs.valid.shape[1]
    chosen = torch.where(regions.positive, regions.owner + 1, torch.where(regions.negative, 0, -1))[:, rows:]
    for image in IMAGES:
        yield equal("objects of proposals", chosen[image], arrays[f"rcnn_assign_{image}"])


def loss_checks(model: TwoStageModel, arrays: Arrays, notes: Mapping[str, Any]) -> Iterator[Check]:
    """Compare every loss term, their sum and the accuracies."""
    with torch.no_grad():
        losses = replayed_losses(model, arrays, notes)
    expected = notes["train"]["losses"]
    yield same_members("loss terms", [name for name in losses if name.startswith("loss")], LOSSES)
    for name, theirs in LOSSES.items():
        yield of_maximum(f"train {name}", losses[name], np.sum(expected[theirs]), LOSS_TOLERANCE)
    total = sum(losses[name].item() for name in LOSSES)
    yield of_maximum("train loss", total, notes["train"]["total"], LOSS_TOLERANCE)
    for name, theirs in (("cls_acc", "acc"), ("match_acc", "match_acc")):  # recorded in per cent
        yield absolute(f"train {name}", losses[name], expected[theirs] / 100, ACCURACY_TOLERANCE)


def gradient_checks(model: TwoStageModel, arrays: Arrays, notes: Mapping[str, Any]) -> Iterator[Check]:
    """Compare the norm of every parameter's gradient, the recorded gradients, and which parameters have none."""
    gradients = _gradients(model, arrays, notes)
    for key, norm in notes["train"]["grad_l2"].items():
        gradient = gradients.get(baseline_name(SYSTEM, key))
        if norm is None or gradient is None:
            yield equal("parameters without gradient", gradient is None, norm is None)
        else:
            # the float32 norm of millions of numbers is off by 1e-3 itself
            yield of_maximum("gradient norms", gradient.double().norm(), norm, NORM_TOLERANCE)
    for name in arrays:
        if name.startswith("grad:"):
            gradient = gradients[baseline_name(SYSTEM, name.removeprefix("grad:"))]
            yield of_maximum(name, gradient.reshape(arrays[name].shape), arrays[name], GRADIENT_TOLERANCE)


def _gradients(model: TwoStageModel, arrays: Arrays, notes: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the gradients of the total loss by parameter, classes and background together."""
    model.zero_grad(set_to_none=True)
    losses = replayed_losses(model, arrays, notes)
    torch.stack([losses[name] for name in LOSSES]).sum().backward()
    found = {name: value.grad for name, value in model.named_parameters() if value.grad is not None}
    model.zero_grad(set_to_none=True)
    return join_class_rows(found)


def replayed_losses(model: TwoStageModel, arrays: Arrays, notes: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the losses of the recorded pairs with the recorded proposals and samples."""
    batch = make_batch(arrays, notes)
    truth = batch.truth_of_pairs
    outputs = with_recorded_proposals(model(batch.images, batch.valid), arrays)
    assigned = model.criterion.assign(outputs, truth)
    samples = _replay(model.criterion.anchor_sampler, arrays, "rpn", len(outputs.rpn.anchors), None)
    rows = truth.valid.shape[1]
    regions = _replay(model.criterion.region_sampler, arrays, "rcnn", assigned.region_boxes.shape[1], rows)
    return model.criterion.losses(outputs, truth, model.head, assigned, samples, regions)


def with_recorded_proposals(outputs: TwoStageOutputs, arrays: Arrays) -> TwoStageOutputs:
    """Return the outputs with the recorded proposals, because equal scores may come in another order."""
    rows = torch.stack([torch.from_numpy(arrays[f"proposals_{image}"]) for image in IMAGES])
    valid = torch.ones(rows.shape[:2], dtype=torch.bool)
    return replace(outputs, proposals=Proposals(boxes=rows[..., :4], scores=rows[..., 4], valid=valid))


def _replay(sampler: Any, arrays: Arrays, name: str, count: int, rows: int | None) -> Samples:
    """Return the recorded samples. Regions are recorded without the `rows` of padding of the truth."""

    def indices(kind: str, image: int) -> Tensor:
        index = torch.from_numpy(arrays[f"{name}_{kind}_{image}"])
        objects = len(arrays[f"boxes_{image}"])
        return index if rows is None else torch.where(index < objects, index, index - objects + rows)

    positives, negatives = ([indices(kind, image) for image in IMAGES] for kind in ("pos", "neg"))
    found: Samples = sampler.replay(positives, negatives, count)
    return found
