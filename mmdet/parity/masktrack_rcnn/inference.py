"""Recorded numbers of the second stage in evaluation: regions, detections, ids, masks and the result json of two clips.

Source: BASELINES.md 1.4, 1.5, 3.3 to 3.7 and 7. Every function yields `Check`s; `arrays` are those of eval.npz.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmdet.engine.checkpoints.baseline_names import from_baseline
from mmdet.models.detectors.two_stage_model import TwoStageModel
from mmdet.ops.roi_align import roi_levels
from mmdet.parity import clips
from mmdet.parity.checks import Check, absolute, equal, of_maximum
from mmdet.parity.clips import Affinities, follow, recorded_meta
from mmdet.parity.drawn_weights import drawn_state, expand_images
from mmdet.parity.inference import TrackedClip
from mmdet.parity.masktrack_rcnn.regions import MAP_TOLERANCE, Arrays
from mmdet.registry import MODELS, TRACKERS
from mmdet.structures import VideoResult

Notes = Mapping[str, Any]
SYSTEM = "masktrack_rcnn"
BOX_TOLERANCE = 1e-3  # pixels
SCORE_TOLERANCE = 1e-5
COMPREHENSIVE_TOLERANCE = 2e-4
MASK_TOLERANCE = 3  # pixels a mask
MODEL = {
    "type": "TwoStageModel",
    "backbone": {"type": "ResNet50", "out_levels": ("C2", "C3", "C4", "C5"), "train_norms": True},
    "neck": {"type": "FPN", "extra": "pool"},
    "rpn": {"type": "RPNHead"},
    "head": {"type": "RoIHeads", "num_classes": 40},
    "criterion": {"type": "TwoStageCriterion"},
    "postprocess": {"type": "TwoStagePostProcess"},
}
TRACKER = {"type": "Tracker", "affinity": "inner_product"}


def recorded_model(seed: int, shapes: Mapping[str, Sequence[int]]) -> TwoStageModel:
    """Return the published model with the weights that the numbers of a seed were recorded with."""
    model: TwoStageModel = MODELS.build(MODEL)
    model.load_state_dict(from_baseline(SYSTEM, drawn_state(SYSTEM, seed, shapes)))
    return model.eval()


def inputs_of(arrays: Arrays, notes: Notes, name: str = "images_q") -> tuple[Tensor, Tensor]:
    """Return recorded images (N, 3, H, W), normalised and padded, and which pixels are no padding, (N, H, W)."""
    images = expand_images(arrays[name], notes["unit"], notes["img_shape"])
    valid = torch.zeros(len(images), *images.shape[-2:], dtype=torch.bool)
    valid[:, : notes["img_shape"][0], : notes["img_shape"][1]] = True
    return images, valid


@torch.no_grad()
def region_checks(model: TwoStageModel, arrays: Arrays, notes: Notes) -> Iterator[Check]:
    """Compare the levels, features, scores and box deltas of the recorded proposals of the first frame."""
    images, valid = inputs_of(arrays, notes)
    boxes = torch.from_numpy(arrays["proposals"][:, :4])[None]
    features = model.head.read(model(images[:1, None], valid[:1, None]).features, boxes)
    logits, deltas = model.head.box_head(features)
    yield equal("levels of regions", roi_levels(boxes[0], 4), arrays["roi_level"])
    for name, actual, expected in (
        ("features of regions", features[0, ::10, ::16], arrays["roi_feats_sub"]),
        ("class logits", logits[0], arrays["cls_logits"]),
        ("box deltas", deltas[0, ::5].flatten(1), arrays["box_deltas_sub"]),
    ):
        yield of_maximum(name, actual, expected, MAP_TOLERANCE)


@torch.no_grad()
def mask_logit_checks(model: TwoStageModel, arrays: Arrays, notes: Notes) -> Iterator[Check]:
    """Compare the small masks of the detections of the first frame."""
    images, valid = inputs_of(arrays, notes)
    found = model.postprocess.detect(model(images[:1, None], valid[:1, None]), [recorded_meta(notes, 1, 0)])
    source: Any = found.mask_source
    expected = arrays["v0_f0_mask_logits"]
    yield of_maximum("mask logits", source.logits[0, : len(expected)], expected, MAP_TOLERANCE)


def track_clip(model: Any, arrays: Arrays, notes: Notes, video: int) -> tuple[TrackedClip, Affinities]:
    """Detect and track a recorded video, 0 or 1, frame by frame; also returns the affinities of every frame."""
    images, valid = inputs_of(arrays, notes)
    order = list(range(len(images))) if video == 0 else arrays["v1_order"].tolist()
    metas = [recorded_meta(notes, video + 1, index) for index in range(len(order))]
    return follow(model, TRACKERS.build(TRACKER), images[order], valid[order], metas)


def clip_checks(clip: TrackedClip, affinities: Affinities, arrays: Arrays, video: int) -> Iterator[Check]:
    """Compare boxes, scores, labels, vectors, scores against tracks and raw ids of every frame."""
    for index, found in enumerate(clip.detections):
        name = f"v{video}_f{index}"
        rows = arrays[f"{name}_boxes"]
        yield absolute("detection boxes", found.boxes, rows[:, :4], BOX_TOLERANCE)
        yield absolute("detection scores", found.scores, rows[:, 4], SCORE_TOLERANCE)
        yield equal("detection labels", found.labels, arrays[f"{name}_labels"])
        yield equal("track ids, raw", clip.raw_ids[index], arrays[f"{name}_ids"])
        if f"{name}_emb" in arrays:
            yield of_maximum("vectors", found.embeddings, arrays[f"{name}_emb"], MAP_TOLERANCE)
        if f"{name}_comp" in arrays:
            expected = arrays[f"{name}_comp"]
            known = affinities[index]
            actual = np.zeros(0) if known is None else known
            yield of_maximum("scores against tracks", actual, expected, COMPREHENSIVE_TOLERANCE)


def empty_start_checks(clip: TrackedClip, recorded: Sequence[Sequence[int]]) -> Iterator[Check]:
    """Compare raw ids of frames 0, 1, 2 of one video and then, in another, of a frame without detections, 3 and 5.

    The other video starts anew (BASELINES.md 6, B6). `clip` is the first recorded video.
    """
    tracker, found = TRACKERS.build(TRACKER), clip.detections
    videos = [[found[0], found[1], found[2]], [found[0][:0], found[3], found[5]]]
    ids = []
    for video in videos:
        state = tracker.start()
        for objects in video:
            state, raw = tracker.assign(state, objects)
            ids.append(raw.tolist())
    yield equal("frames with recorded ids", len(ids), len(recorded))
    for mine, theirs in zip(ids, recorded, strict=False):
        yield equal("track ids after an empty start", mine, theirs)


def mask_checks(clip: TrackedClip, rles: Sequence[Mapping[str, Any]]) -> Iterator[Check]:
    """Compare the tracks of every frame and their masks."""
    yield from clips.mask_checks(clip, rles, MASK_TOLERANCE)


def result_checks(results: Sequence[VideoResult], recorded: Sequence[Mapping[str, Any]]) -> Iterator[Check]:
    """Compare the result json of both clips."""
    num_classes: int = MODEL["head"]["num_classes"]  # type: ignore[index]
    yield from clips.result_checks(results, recorded, num_classes, SCORE_TOLERANCE, MASK_TOLERANCE)
