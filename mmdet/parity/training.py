"""Recorded numbers of training: outputs, the assigner's choices, every loss term and the gradients.

Source: MODEL.md 3-6. The memory does not change while the network runs (MODEL.md 10, Q7), so outputs and losses differ
from the release's by a little more than rounding. Every check is pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from mmdet.engine.checkpoints.release_names import translate_key
from mmdet.models import VISModel
from mmdet.models.assigners.uncertainty import mean_uncertainty
from mmdet.parity.checks import Check, absolute, equal, of_maximum, same_members
from mmdet.parity.inference import Arrays, images_of, per_point
from mmdet.structures import ClipBatch, FrameMeta, FrameTruth

OUTPUT_TOLERANCE = 1e-4  # of an array's maximum, with the memory held
LOSS_TOLERANCE = 2e-4  # relative, with the memory held
CENTERNESS_TOLERANCE = 1e-5
GRADIENT_TOLERANCE = 1e-3  # of a gradient's maximum, or NOISE_FACTOR times its change under input noise of 1e-6
NOISE_FACTOR = 3
MEMORY_GRADIENT_TOLERANCE = 5e-3
FEWEST_GRADIENTS = 20  # fewer would mean that some were lost
MEMORY_KEY = "bbox_head.mem.feat_units.weight"
ABSENT_ID = 1000  # instance ids from this one on are not in the reference frame


def make_batch(arrays: Arrays) -> ClipBatch:
    """Return the recorded pairs. A truth's pid p > 0 is row p - 1 of the reference; 0 is not in the reference."""
    images = torch.stack((images_of(arrays, "img_i8"), images_of(arrays, "ref_i8")), dim=1)
    height, width = images.shape[-2:]
    meta = FrameMeta(video_id=1, frame_index=0, original_size=(height, width), input_size=(height, width), scale=1.0)
    return ClipBatch.make(
        images=images,
        valid=torch.ones(len(images), 2, height, width, dtype=torch.bool),
        truths=[(_key_truth(arrays, b), _reference_truth(arrays, b, (height, width))) for b in range(len(images))],
        metas=[(meta, meta)] * len(images),
        reference_jitter=[torch.from_numpy(arrays[f"ref_offsets_{b}"]) for b in range(len(images))],
    )


def _key_truth(arrays: Arrays, image: int) -> FrameTruth:
    pids = arrays[f"gt_pids_{image}"].tolist()
    return FrameTruth(
        boxes=torch.from_numpy(arrays[f"gt_bboxes_{image}"]),
        labels=torch.from_numpy(arrays[f"gt_labels_{image}"]) - 1,
        masks=torch.from_numpy(arrays[f"gt_masks_{image}"]).bool(),
        instance_ids=torch.tensor([pid if pid > 0 else ABSENT_ID + row for row, pid in enumerate(pids)]),
        is_crowd=torch.zeros(len(pids), dtype=torch.bool),
    )


def _reference_truth(arrays: Arrays, image: int, size: tuple[int, int]) -> FrameTruth:
    boxes = torch.from_numpy(arrays[f"ref_bboxes_{image}"])
    return FrameTruth(
        boxes=boxes,
        labels=torch.zeros(len(boxes), dtype=torch.int64),
        masks=torch.zeros(len(boxes), *size, dtype=torch.bool),
        instance_ids=torch.arange(1, len(boxes) + 1),
        is_crowd=torch.zeros(len(boxes), dtype=torch.bool),
    )


@torch.no_grad()
def output_checks(model: VISModel, arrays: Arrays) -> Iterator[Check]:
    """Compare the memory before the step, and box distances, sigma and centerness of the forward pass in training."""
    batch, raw = make_batch(arrays), per_point(arrays, "reg")
    out = model(batch.images, batch.valid)
    yield equal("train memory before", model.head.memory.slots, arrays["mem_0"])
    for name, actual, expected in (
        ("box distances", out.box_ltrb, raw[..., :4].sigmoid()),
        ("box sigma", out.box_sigma, 0.1 + 0.9 * F.softplus(raw[..., 4:])),  # MODEL.md 5
        ("centerness logits", out.centerness_logits, per_point(arrays, "center")[..., 0]),
    ):
        yield of_maximum(f"train {name}", actual, expected, OUTPUT_TOLERANCE)


@torch.no_grad()
def assigner_checks(model: VISModel, arrays: Arrays) -> Iterator[Check]:
    """Compare the points that learn each object."""
    batch = make_batch(arrays)
    out = model(batch.images, batch.valid)
    found = model.criterion.assigner(out.points, out.box_sigma, batch.truth_of_pairs)
    choices = {"closest": found.closest, "pos": found.positive, "neg": found.negative, "mask": found.in_box}
    for image in range(len(batch.images)):
        for name, values in choices.items():
            yield equal(f"assigner {name}", values[image], arrays[f"assign_{name}_{image}"])
        expected = arrays[f"assign_cent_{image}"]
        yield absolute("assigner centerness", found.centerness[image], expected, CENTERNESS_TOLERANCE)
        expected = arrays[f"assign_uncert_{image}"]
        yield of_maximum("assigner uncertainty", mean_uncertainty(out.box_sigma[image]), expected, OUTPUT_TOLERANCE)


def loss_checks(model: VISModel, arrays: Arrays, notes: Mapping[str, Any]) -> Iterator[Check]:
    """Compare every loss term, the match accuracy and the total."""
    with torch.no_grad():
        batch = make_batch(arrays)
        losses = model.loss(model(batch.images, batch.valid), batch)
    found = {name: value.item() for name, value in losses.items()} | {"loss": float(_total(losses))}
    expected = notes["losses"] | {"match_acc": notes["losses"]["match_acc"] / 100}  # recorded in per cent
    yield same_members("loss terms", found, expected)
    for name in sorted(set(found) & set(expected)):
        yield of_maximum(f"train {name}", found[name], expected[name], LOSS_TOLERANCE)


def gradient_checks(model: VISModel, arrays: Arrays, notes: Mapping[str, Any]) -> Iterator[Check]:
    """Compare the recorded gradients, and which parameters have none. Leaves the model without gradients."""
    with _replayed_memory(model, arrays):
        gradients = _gradients(model, make_batch(arrays))
    noise = notes["grad_rel_max_change_under_1e6_input_noise"]
    keys = [name.removeprefix("grad:") for name in arrays if name.startswith("grad:")]
    yield Check("gradients missing from the recorded", float(max(0, FEWEST_GRADIENTS - len(keys))), 0.0)
    for key in keys:
        expected, tolerance = arrays[f"grad:{key}"], max(GRADIENT_TOLERANCE, NOISE_FACTOR * (noise[key] or 0))
        if key == MEMORY_KEY:  # without the defect of writing under autograd (Q8)
            expected, tolerance = arrays[f"grad_clean:{key}"], MEMORY_GRADIENT_TOLERANCE
        actual = gradients[translate_key(key)]
        yield of_maximum(f"gradient {key}", torch.zeros(0) if actual is None else actual, expected, tolerance)


def frozen_checks(model: VISModel, arrays: Arrays, notes: Mapping[str, Any]) -> Iterator[Check]:
    """Compare which parameters have no gradient: those of the release, and they are frozen."""
    gradients = _gradients(model, make_batch(arrays))
    without = {translate_key(key) for key, norm in notes["grad_l2"].items() if norm is None}
    frozen = [name for name, parameter in model.named_parameters() if not parameter.requires_grad]
    yield same_members("parameters without gradient", [n for n, grad in gradients.items() if grad is None], without)
    yield same_members("parameters that are frozen", frozen, without)


def _total(losses: Mapping[str, Tensor]) -> Tensor:
    return torch.stack([value for name, value in losses.items() if name.startswith("loss")]).sum()


def _gradients(model: VISModel, batch: ClipBatch) -> dict[str, Tensor | None]:
    """Return the gradients of the total loss by parameter."""
    model.zero_grad(set_to_none=True)
    _total(model.loss(model(batch.images, batch.valid), batch)).backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    model.zero_grad(set_to_none=True)
    return gradients


@contextmanager
def _replayed_memory(model: VISModel, arrays: Arrays) -> Iterator[None]:
    """Let the memory be read as the release did: level l is weighted by memory l and recalls from memory l + 1.

    The release wrote each level to the memory before reading it; here a read is pure. Offsets of the deformable
    convolutions have kinks, so their gradients agree to rounding only for the very same memory.
    """
    memory = model.head.memory
    versions = [torch.from_numpy(arrays[f"mem_{index}"]) for index in range(5)]
    counts = [arrays[f"reg_{level}"][0, 0].size for level in range(4)]

    def read(query: Tensor) -> Tensor:
        contexts = []
        for level, part in enumerate(query.split(counts, dim=1)):
            before = F.normalize(versions[level][:, : memory.channels], dim=1)
            weights = (F.normalize(part.detach(), dim=-1) @ before.T).softmax(-1)
            slots = versions[level + 1] + memory.slots - memory.slots.detach()
            contexts.append(memory.fc2(F.gelu(memory.fc1(weights @ F.normalize(slots, dim=1)))))
        return torch.cat(contexts, dim=1)

    memory.__dict__["read"] = read  # hides the method for a while
    try:
        yield
    finally:
        del memory.__dict__["read"]
