"""Recorded numbers of FCOS: maps, detections, targets, losses and gradients. Sources: BASELINES.md 4 and 7.

Every function yields `Check`s; `arrays` are those of eval.npz or train.npz, `notes` those of notes.json.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mmdet.engine.checkpoints.baseline_names import SCALES, baseline_name, from_baseline
from mmdet.models import VISModel
from mmdet.parity.checks import Check, absolute, equal, of_maximum, same_members
from mmdet.parity.drawn_weights import drawn_state, expand_images
from mmdet.parity.inference import Arrays
from mmdet.structures import ClipBatch, FrameMeta, FrameTruth
from mmdet.structures.chunk_detections import unpack_rows

Notes = Mapping[str, Any]

SYSTEM = "fcos"
MAPS = 2e-5  # of an array's maximum
BOXES = 1e-3  # original pixels
SCORES = 1e-5
LOSSES = 1e-4
NORMS = 1e-3
GRADIENTS = 1e-3  # of an array's maximum
DISTANCES = 1e-4  # input pixels
GRADIENT = "grad:"
CLASS_LAYER = "bbox_head.fcos_cls."


def drawn_model(seed: int, shapes: Mapping[str, Sequence[int]], num_classes: int) -> VISModel:
    """Return the model with the weights that a seed's numbers were recorded with.

    `shapes` are of the published model, whose 80 classes are not those of the recorded one
    """
    model = VISModel(
        backbone={"type": "ResNet50", "style": "caffe"},
        neck={"type": "FPN", "extra": "two"},
        head={"type": "FCOSHead", "num_classes": num_classes},
        criterion={"type": "DenseCriterion", "assigner": {"type": "RangeAssigner", "center_radius": None}},
        postprocess={"type": "DensePostProcess"},
        channel_order="bgr",
    )
    own = {key: (num_classes, *shape[1:]) if key.startswith(CLASS_LAYER) else shape for key, shape in shapes.items()}
    model.load_state_dict(from_baseline(SYSTEM, drawn_state(SYSTEM, seed, own)))
    return model.eval()


def _images(arrays: Arrays, notes: Notes, name: str) -> Tensor:
    return expand_images(arrays[name], notes["unit"], notes["img_shape"])


def _meta(notes: Notes) -> FrameMeta:
    (height, width), resized = notes["ori_shape"][:2], notes["img_shape"]
    size = (resized[0], resized[1])
    return FrameMeta(
        video_id=1, frame_index=0, original_size=(height, width), input_size=size, scale=notes["scale_factor"]
    )


@torch.no_grad()
def eval_checks(model: VISModel, arrays: Arrays, notes: Notes) -> Iterator[Check]:
    """Compare pyramid and predictions of the first frame, and the detections of all, in their order."""
    images = _images(arrays, notes, "images_q")
    pyramid = model.neck(model.backbone(images[:1]))
    for level, values in enumerate(pyramid):
        yield of_maximum(f"neck map {level}", values[:, ::32], arrays[f"p{level}_sub"], MAPS)
    outputs = model(images[:, None], torch.ones(len(images), 1, *images.shape[-2:], dtype=torch.bool))
    for name, predicted in (
        ("cls", outputs.cls_logits),
        ("dist", outputs.distances),
        ("center", outputs.centerness_logits[..., None]),
    ):
        levels = predicted[:1].transpose(1, 2).split(outputs.points.level_counts, dim=2)
        for level, values in enumerate(levels):
            expected = arrays[f"{name}_{level}"]
            yield of_maximum(f"head {name} {level}", values, expected.reshape(*expected.shape[:2], -1), MAPS)
    frames = unpack_rows(model.postprocess.detect(outputs, [_meta(notes)] * len(images)).rows)
    yield equal("detections of a frame", [len(frame) for frame in frames], notes["detections"])
    for index, frame in enumerate(frames):
        rows = arrays[f"f{index}_boxes"]
        yield equal("detection labels", frame.labels, arrays[f"f{index}_labels"])
        yield absolute("detection boxes", frame.boxes, rows[:, :4], BOXES)
        yield absolute("detection scores", frame.scores, rows[:, 4], SCORES)


def make_batch(arrays: Arrays, notes: Notes) -> ClipBatch:
    """Return the recorded images as pairs, whose references nobody looks at."""
    images, meta = _images(arrays, notes, "img_q"), _meta(notes)
    count, size = len(images), (int(images.shape[2]), int(images.shape[3]))
    truths = [_truth(arrays, image, size) for image in range(count)]
    return ClipBatch.make(
        images=torch.stack((images, torch.full_like(images, torch.nan)), dim=1),
        valid=torch.ones(count, 2, *size, dtype=torch.bool),
        truths=[(truth, truth) for truth in truths],
        metas=[(meta, meta)] * count,
        reference_jitter=[torch.zeros(len(truth), 4) for truth in truths],
    )


def _truth(arrays: Arrays, image: int, size: tuple[int, int]) -> FrameTruth:
    boxes = torch.from_numpy(arrays[f"boxes_{image}"])
    return FrameTruth(
        boxes=boxes,
        labels=torch.from_numpy(arrays[f"labels_{image}"]) - 1,  # recorded from 1 on
        masks=torch.zeros(len(boxes), *size, dtype=torch.bool),
        instance_ids=torch.arange(len(boxes)),
        is_crowd=torch.zeros(len(boxes), dtype=torch.bool),
    )


def train_checks(model: VISModel, arrays: Arrays, notes: Notes) -> Iterator[Check]:
    """Compare targets, losses, the recorded gradients, the norms of all, and which parameters have none."""
    batch, recorded = make_batch(arrays, notes), notes["train"]
    model.zero_grad(set_to_none=True)
    outputs = model(batch.images, batch.valid)
    found = model.criterion.assigner(outputs.points, batch.truth_of_pairs)
    counts = outputs.points.level_counts
    yield equal("train positives", found.positive.sum(), recorded["num_pos"])
    rows = zip(*(part.split(counts, dim=1) for part in (found.labels, found.ltrb, found.positive)), strict=True)
    for level, (labels, ltrb, positive) in enumerate(rows):
        yield equal("train labels", labels.flatten() + 1, arrays[f"assign_labels_l{level}"])
        yield absolute("train distances", ltrb[positive], arrays[f"assign_ltrb_of_pos_l{level}"], DISTANCES)
    losses = model.loss(outputs, batch)
    yield same_members("train losses, terms", losses, recorded["losses"])
    for name, value in losses.items():
        yield of_maximum(f"train {name}", value, recorded["losses"].get(name, torch.nan), LOSSES)
    torch.stack(list(losses.values())).sum().backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    model.zero_grad(set_to_none=True)
    yield from gradient_checks(SYSTEM, gradients, arrays, recorded["grad_l2"])


def gradient_checks(
    system: str, found: Mapping[str, Tensor | None], arrays: Arrays, norms: Mapping[str, float | None]
) -> Iterator[Check]:
    """Compare the recorded gradients of a one-stage system, the norms of all, and which parameters have none.

    `found`: gradients by the names of this package
    """
    for key in (name.removeprefix(GRADIENT) for name in arrays if name.startswith(GRADIENT)):
        gradient = found[SCALES if key == "bbox_head.scales" else baseline_name(system, key)]
        yield of_maximum(f"gradient {key}", () if gradient is None else gradient, arrays[GRADIENT + key], GRADIENTS)
    without = {baseline_name(system, key) for key, norm in norms.items() if norm is None}
    yield same_members("parameters without gradient", [n for n, gradient in found.items() if gradient is None], without)
    for key, norm in norms.items():
        name = baseline_name(system, key)
        gradient = found.get(name)
        if norm is None or gradient is None:
            continue
        of_level = gradient[int(key.split(".")[2])] if name == SCALES else gradient
        yield of_maximum("gradient norms", of_level.norm(), norm, NORMS)
