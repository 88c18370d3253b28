"""Recorded numbers of the first stage of MaskTrack R-CNN: maps, proposals, what anchors learn, losses and gradients.

Source: BASELINES.md 3.1 and 3.2. Every function yields `Check`s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmdet.engine.checkpoints.baseline_names import from_baseline
from mmdet.models.assigners import MaxIoUAssigner, RandomSampler, assign_regions
from mmdet.models.backbones import ResNet50
from mmdet.models.heads.two_stage.rpn_head import RPNHead
from mmdet.models.losses.two_stage.rpn import rpn_losses
from mmdet.models.necks import FPN
from mmdet.ops.anchors import inside_images
from mmdet.parity.checks import Check, absolute, equal, of_maximum
from mmdet.structures import PaddedTruth
from mmdet.structures.two_stage_outputs import BoxAssignment, Proposals, RPNOutputs

Arrays = Mapping[str, np.ndarray]
Notes = Mapping[str, Any]
SYSTEM = "masktrack_rcnn"
MAPS, PIXELS, SCORES, LOSSES, GRADIENT_NORMS = 2e-5, 1e-3, 1e-5, 1e-4, 1e-3  # BASELINES.md 7
GRADIENTS = 1e-3  # of an array's maximum
REGION_THRESHOLDS = (0.5, 0.5, 0.5)  # BASELINES.md 3.4
OUTSIDE, IGNORED = -2, -1  # of the recorded assignments, in which the first object is 1
RELEASE_NAMES = {"conv": "rpn_conv", "cls_conv": "rpn_cls", "box_conv": "rpn_reg"}
PARTS = {"backbone": "backbone.", "neck": "neck.", "head": "rpn_head."}  # names here, and in a state dict


@dataclass(frozen=True)
class FirstStage:
    """The parts of the first stage, with recorded weights."""

    backbone: nn.Module
    neck: nn.Module
    head: RPNHead

    @staticmethod
    def make(state: Mapping[str, Tensor]) -> FirstStage:
        """Make the parts from the release's state dict, whose other entries are not used."""
        backbone = ResNet50(style="pytorch", out_levels=("C2", "C3", "C4", "C5"), train_norms=True)
        neck = FPN(backbone.channels, extra="pool")
        stage = FirstStage(backbone=backbone, neck=neck, head=RPNHead(neck.channels, neck.strides))
        prefixes = tuple(PARTS.values())
        ours = from_baseline(SYSTEM, {key: value for key, value in state.items() if key.startswith(prefixes)})
        for name, prefix in PARTS.items():
            own = {key.removeprefix(prefix): value for key, value in ours.items() if key.startswith(prefix)}
            getattr(stage, name).load_state_dict(own)
        return stage

    def __call__(self, images: Tensor) -> RPNOutputs:
        """Run on normalised and padded images (B, 3, H, W)."""
        outputs: RPNOutputs = self.head(self.neck(self.backbone(images)))
        return outputs


def truth_of(boxes: Sequence[np.ndarray]) -> PaddedTruth:
    """Return the truth of images with these boxes (n, 4), all of one class, without masks and references."""
    rows = [torch.from_numpy(image) for image in boxes]
    padded = nn.utils.rnn.pad_sequence(rows, batch_first=True)
    valid = nn.utils.rnn.pad_sequence([torch.ones(len(image)) for image in rows], batch_first=True) > 0
    zeros = torch.zeros(valid.shape, dtype=torch.int64)
    return PaddedTruth(
        boxes=padded,
        labels=zeros,
        valid=valid,
        is_crowd=zeros > 0,
        half_masks=torch.zeros(*valid.shape, 1, 1, dtype=torch.bool),
        reference_boxes=padded,
        reference_valid=valid,
        match=zeros - 1,
    )


def assignment_part_checks(parts: Arrays) -> Iterator[Check]:
    """Compare what made-up boxes learn by the rules of anchors and of regions."""
    boxes, truth = torch.from_numpy(parts["assign_boxes"]), truth_of([parts["assign_gts"]])
    everywhere = torch.ones(1, len(boxes), dtype=torch.bool)
    for name, assigner in {"rpn": MaxIoUAssigner(), "rcnn": MaxIoUAssigner(*REGION_THRESHOLDS)}.items():
        found = as_recorded(assigner(boxes, everywhere, truth), everywhere)
        yield equal(f"assignment, {name}", found[0], parts[f"assign_{name}"])


def region_assignment_checks(arrays: Arrays) -> Iterator[Check]:
    """Compare what the recorded proposals learn."""
    truth = truth_of([arrays[f"boxes_{image}"] for image in _images(arrays)])
    rows = torch.stack([torch.from_numpy(arrays[f"proposals_{image}"]) for image in _images(arrays)])
    valid = torch.ones(rows.shape[:2], dtype=torch.bool)
    proposals = Proposals(boxes=rows[..., :4], scores=rows[..., 4], valid=valid)
    _, found = assign_regions(proposals, truth, MaxIoUAssigner(*REGION_THRESHOLDS))
    objects = truth.valid.shape[1]
    numbers = as_recorded(found, torch.cat((truth.valid, valid), dim=1))
    for image in _images(arrays):
        yield equal(f"what proposals learn, image {image}", numbers[image, objects:], arrays[f"rcnn_assign_{image}"])


def evaluation_checks(stage: FirstStage, images: Tensor, arrays: Arrays, notes: Notes) -> Iterator[Check]:
    """Compare the maps and proposals of the first frame; `images`: that frame (1, 3, H, W)."""
    with torch.no_grad():
        outputs = stage(images)
    counts = outputs.level_counts
    levels = zip(outputs.cls_logits.split(counts, dim=1), outputs.deltas.split(counts, dim=1), strict=True)
    for level, (logits, deltas) in enumerate(levels):
        logits_shape, step = arrays[f"rpn_cls_{level}"].shape, 2 if level == 0 else 1
        cls_map, box_map = (_map(rows, logits_shape[2:]) for rows in (logits, deltas))
        yield of_maximum(f"RPN, class logits of level {level}", cls_map, arrays[f"rpn_cls_{level}"], MAPS)
        yield of_maximum(
            f"RPN, deltas of level {level}", box_map[..., ::step, ::step], arrays[f"rpn_reg_{level}"], MAPS
        )
    yield from _proposal_checks(stage, outputs, [arrays["proposals"]], notes)


def training_checks(stage: FirstStage, images: Tensor, arrays: Arrays, notes: Notes) -> Iterator[Check]:
    """Compare proposals, what anchors learn, losses and the head's gradients; `images`: the key frames (B, 3, H, W)."""
    outputs, truth = stage(images), truth_of([arrays[f"boxes_{image}"] for image in _images(arrays)])
    yield from _proposal_checks(stage, outputs, [arrays[f"proposals_{image}"] for image in _images(arrays)], notes)
    inside = inside_images(outputs.anchors, _sizes(notes, len(images)))
    assigned = MaxIoUAssigner()(outputs.anchors, inside, truth)
    for image, found in enumerate(as_recorded(assigned, inside)):
        yield equal(f"RPN, what anchors learn, image {image}", found, arrays[f"rpn_assign_{image}"])
    positives, negatives = (
        [torch.from_numpy(arrays[f"rpn_{kind}_{image}"]) for image in _images(arrays)] for kind in ("pos", "neg")
    )
    samples = RandomSampler().replay(positives, negatives, len(outputs.anchors))
    of_class, of_box = rpn_losses(outputs, truth, assigned, samples)
    yield of_maximum("loss_rpn_cls", of_class, notes["train"]["losses"]["loss_rpn_cls"], LOSSES)
    yield of_maximum("loss_rpn_reg", of_box, notes["train"]["losses"]["loss_rpn_reg"], LOSSES)
    yield from _gradient_checks(stage.head, (of_class + of_box).sum(), arrays, notes)


def as_recorded(assigned: BoxAssignment, inside: Tensor) -> Tensor:
    """Return what boxes learn (B, N) as it is recorded: -2 outside, -1 ignored, 0 background, 1... an object."""
    numbers = torch.where(inside, IGNORED, OUTSIDE).where(~assigned.negative, 0)
    return torch.where(assigned.positive, assigned.owner + 1, numbers)


def _proposal_checks(
    stage: FirstStage, outputs: RPNOutputs, recorded: list[np.ndarray], notes: Notes
) -> Iterator[Check]:
    found = stage.head.propose(outputs, _sizes(notes, len(recorded)))
    for image, rows in enumerate(recorded):
        yield equal(f"proposals, number, image {image}", found.valid[image].sum(), len(rows))
        yield absolute(f"proposals, boxes, image {image}", found.boxes[image], rows[:, :4], PIXELS)
        yield absolute(f"proposals, scores, image {image}", found.scores[image], rows[:, 4], SCORES)


def _map(rows: Tensor, size: tuple[int, ...]) -> Tensor:
    """Return the rows (1, A, ...) of a level of (height, width) `size` as the map (1, C, h, w) that they come from."""
    return rows.reshape(1, *size, -1).permute(0, 3, 1, 2)


def _gradient_checks(head: RPNHead, loss: Tensor, arrays: Arrays, notes: Notes) -> Iterator[Check]:
    """Compare the gradients of the head, which no other loss reaches."""
    names, parameters = zip(*head.named_parameters(), strict=True)
    for name, gradient in zip(names, torch.autograd.grad(loss, parameters), strict=True):
        part, kind = name.split(".")
        key = f"rpn_head.{RELEASE_NAMES[part]}.{kind}"
        yield of_maximum(f"gradient norm, {key}", gradient.norm(), notes["train"]["grad_l2"][key], GRADIENT_NORMS)
        if f"grad:{key}" in arrays:
            yield of_maximum(f"gradient, {key}", gradient, arrays[f"grad:{key}"], GRADIENTS)


def _sizes(notes: Notes, images: int) -> Tensor:
    return torch.tensor([notes["img_shape"][:2]] * images)


def _images(arrays: Arrays) -> range:
    return range(len(arrays["img_q"]))
