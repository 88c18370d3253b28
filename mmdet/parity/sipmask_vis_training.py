"""Recorded numbers of SipMask-VIS in training: targets, losses and gradients. Sources: BASELINES.md 2.2, 2.3 and 7."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmdet.models import VISModel
from mmdet.parity import fcos
from mmdet.parity.checks import Check, absolute, equal, of_maximum, same_members
from mmdet.parity.drawn_weights import expand_images
from mmdet.parity.inference import Arrays
from mmdet.structures import ClipBatch, FrameMeta, FrameTruth, PaddedTruth, PointGrid
from mmdet.structures.padded_truth import pad_truths

Notes = Mapping[str, Any]

DISTANCES = 1e-4  # input pixels
LOSSES = 1e-4
ABSENT_ID = 1000  # instance ids from this one on are not in the reference frame
SYSTEM = "sipmask_vis"
PART_SIZE = (160, 224)
PART_LEVELS = ((20, 28), (10, 14), (5, 7), (3, 4), (2, 2))
NOT_LOSSES = ("match_acc",)


def make_batch(arrays: Arrays, notes: Notes, jitter: bool = True) -> ClipBatch:
    """Return the recorded pairs. A truth's pid p > 0 is row p - 1 of the reference; 0 is not in the reference."""
    keys, references = (expand_images(arrays[name], notes["unit"], notes["img_shape"]) for name in ("img_q", "ref_q"))
    count, _, height, width = keys.shape
    size = (height, width)
    original, resized = (tuple(notes[name][:2]) for name in ("ori_shape", "img_shape"))
    meta = FrameMeta(video_id=1, frame_index=0, original_size=original, input_size=resized, scale=notes["scale_factor"])
    offsets = [torch.from_numpy(arrays[f"ref_offsets_{image}"]) * jitter for image in range(count)]
    return ClipBatch.make(
        images=torch.stack((keys, references), dim=1),
        valid=torch.ones(count, 2, height, width, dtype=torch.bool),
        truths=[(_key(arrays, image, size), _reference(arrays, image, size)) for image in range(count)],
        metas=[(meta, meta)] * count,
        reference_jitter=offsets,
    )


def _key(arrays: Arrays, image: int, size: tuple[int, int]) -> FrameTruth:
    pids = arrays[f"pids_{image}"].tolist()
    count = len(pids) * size[0] * size[1]
    masks = np.unpackbits(arrays[f"masks_{image}"])[:count].reshape(len(pids), *size)
    return _truth(
        torch.from_numpy(arrays[f"boxes_{image}"]),
        torch.from_numpy(arrays[f"labels_{image}"]) - 1,
        torch.from_numpy(masks).bool(),
        torch.tensor([pid if pid > 0 else ABSENT_ID + row for row, pid in enumerate(pids)]),
    )


def _reference(arrays: Arrays, image: int, size: tuple[int, int]) -> FrameTruth:
    boxes = torch.from_numpy(arrays[f"ref_{image}"])
    masks, rows = torch.zeros(len(boxes), *size, dtype=torch.bool), torch.arange(len(boxes))
    return _truth(boxes, torch.zeros_like(rows), masks, rows + 1)


def _truth(boxes: Tensor, labels: Tensor, masks: Tensor, ids: Tensor) -> FrameTruth:
    crowd = torch.zeros(len(boxes), dtype=torch.bool)
    return FrameTruth(boxes=boxes, labels=labels, masks=masks, instance_ids=ids, is_crowd=crowd)


def truth_of_boxes(boxes: Tensor, labels: Tensor) -> PaddedTruth:
    """Return the truth of one image whose masks nobody looks at."""
    masks = torch.zeros(len(boxes), 2, 2, dtype=torch.bool)
    frame = _truth(boxes, labels, masks, torch.arange(len(boxes)))
    return pad_truths([(frame, frame)], [torch.zeros(len(boxes), 4)], (2, 2))


def target_part_checks(model: VISModel, arrays: Arrays) -> Iterator[Check]:
    """Compare what points learn of made-up objects, two of which are the same."""
    boxes, labels = torch.from_numpy(arrays["target_gts"]), torch.from_numpy(arrays["target_gt_labels"]) - 1
    points = PointGrid.make(PART_SIZE, PART_LEVELS, model.head.strides, boxes.device)
    found = model.criterion.assigner(points, truth_of_boxes(boxes, labels))
    positive = found.positive[0]
    yield equal("target labels", found.labels[0] + 1, arrays["target_labels"])
    yield equal("target objects", found.owner[0][positive], arrays["target_gt_of_pos"])
    yield absolute("target distances", found.ltrb[0][positive], arrays["target_ltrb"][positive.numpy()], DISTANCES)


@torch.no_grad()
def target_checks(model: VISModel, arrays: Arrays, notes: Notes) -> Iterator[Check]:
    """Compare what every point learns."""
    batch = make_batch(arrays, notes)
    outputs = model(batch.images, batch.valid)
    found = model.criterion.assigner(outputs.points, batch.truth_of_pairs)
    yield equal("train positives", found.positive.sum(dim=1), notes["train"]["num_pos"])
    for image in range(len(batch.images)):
        positive = found.positive[image]
        yield equal("train labels", found.labels[image] + 1, arrays[f"assign_labels_{image}"])
        yield equal("train objects", found.owner[image][positive], arrays[f"assign_gt_of_pos_{image}"])
        expected = arrays[f"assign_ltrb_of_pos_{image}"]
        yield absolute("train distances", found.ltrb[image][positive], expected, DISTANCES)


@torch.no_grad()
def loss_checks(model: VISModel, arrays: Arrays, notes: Notes) -> Iterator[Check]:
    """Compare every loss term, with the recorded jitter of reference boxes and without jitter."""
    for name, jitter in (("losses", True), ("losses_zero_jitter", False)):
        batch, recorded = make_batch(arrays, notes, jitter), notes["train"][name]
        found = {key: value.item() for key, value in model.loss(model(batch.images, batch.valid), batch).items()}
        found["match_acc"] *= 100  # recorded in per cent
        yield same_members(f"train {name}, terms", found, recorded)
        for key in sorted(set(found) & set(recorded)):
            yield of_maximum(f"train {name} {key}", found[key], recorded[key], LOSSES)
        if jitter:
            total = sum(value for key, value in found.items() if key not in NOT_LOSSES)
            yield of_maximum("train total", total, notes["train"]["total"], LOSSES)


def gradient_checks(model: VISModel, arrays: Arrays, notes: Notes) -> Iterator[Check]:
    """Compare gradients: the recorded arrays, the norms of all, and which parameters have none."""
    batch = make_batch(arrays, notes)
    model.zero_grad(set_to_none=True)
    losses = model.loss(model(batch.images, batch.valid), batch)
    torch.stack([value for key, value in losses.items() if key not in NOT_LOSSES]).sum().backward()
    found = {name: parameter.grad for name, parameter in model.named_parameters()}
    model.zero_grad(set_to_none=True)
    yield from fcos.gradient_checks(SYSTEM, found, arrays, notes["train"]["grad_l2"])
