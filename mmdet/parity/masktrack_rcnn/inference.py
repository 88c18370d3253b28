"""Recorded numbers of the second stage in evaluation: regions, detections, ids, masks and the result json of two clips.

Source: BASELINES.md 1.4, 1.5, 3.3 to 3.7 and 7. Every function yields `Check`s; `arrays` are those of eval.npz.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmdet.engine.checkpoints.baseline_names import from_baseline
from mmdet.engine.inference.detector import Detector
from mmdet.engine.inference.frame_batch import FramePreparation
from mmdet.engine.inference.stream import VideoStream
from mmdet.models.detectors.two_stage_model import TwoStageModel
from mmdet.ops.masks.segmentations import decode_rle
from mmdet.ops.roi_align import roi_levels
from mmdet.parity.checks import Check, absolute, differing_pixels, equal, of_maximum, same_members
from mmdet.parity.drawn_weights import drawn_state, expand_images
from mmdet.parity.masktrack_rcnn.regions import MAP_TOLERANCE, Arrays
from mmdet.registry import MODELS, TRACKERS
from mmdet.structures import ClipBatch, FrameMeta, FrameObjects, FrameTracks, VideoResult, results_to_json
from mmdet.tracking.affinity import affinity
from mmdet.tracking.state import TrackState

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


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedFrame:
    """What was computed for a frame: detections, raw ids, scores against known tracks (None: none), and tracks."""

    found: FrameObjects
    raw_ids: Tensor
    comprehensive: np.ndarray | None
    tracks: FrameTracks


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
    found = model.postprocess.detect(model(images[:1, None], valid[:1, None]), [_meta(notes, 0, 0)])
    source: Any = found.mask_source
    expected = arrays["v0_f0_mask_logits"]
    yield of_maximum("mask logits", source.logits[0, : len(expected)], expected, MAP_TOLERANCE)


class _Recording:
    """A tracker that keeps what it gets and gives."""

    def __init__(self) -> None:
        self._tracker = TRACKERS.build(TRACKER)
        self.seen: list[tuple[FrameObjects, Tensor, np.ndarray | None]] = []

    def start(self) -> TrackState:
        state: TrackState = self._tracker.start()
        return state

    def assign(self, state: TrackState, objects: FrameObjects) -> tuple[TrackState, Tensor]:
        scores = None
        if len(state) and len(objects):
            known = objects.embeddings, objects.boxes.numpy(), objects.labels.numpy(), objects.scores
            scores = affinity(*known, state, self._tracker.temperature, self._tracker.weights)
        state, ids = self._tracker.assign(state, objects)
        self.seen.append((objects, ids, scores))
        return state, ids


def _meta(notes: Notes, video: int, index: int) -> FrameMeta:
    return FrameMeta(
        video_id=video + 1,
        frame_index=index,
        original_size=(notes["ori_shape"][0], notes["ori_shape"][1]),
        input_size=(notes["img_shape"][0], notes["img_shape"][1]),
        scale=notes["scale_factor"],
    )


def track_clip(
    model: Any, arrays: Arrays, notes: Notes, video: int, frames: Sequence[int] | None = None
) -> tuple[list[RecordedFrame], VideoResult]:
    """Detect and track frame by frame, as a user's stream does; `frames` are those of a recorded video unless given."""
    images, valid = inputs_of(arrays, notes)
    order = frames or [range(len(images)), arrays["v1_order"].tolist()][video]
    tracker = _Recording()
    detector = Detector(model, torch.device("cpu"), amp_dtype=None, cuda_graph=False, compile=False)
    size = _meta(notes, video, 0).original_size
    stream = VideoStream(detector, tracker, FramePreparation([], pinned=False), size, video + 1)
    tracks: list[FrameTracks] = []
    for index, row in enumerate(order):
        one = slice(row, row + 1)
        batch = ClipBatch(
            images=images[one, None], valid=valid[one, None], truth=None, metas=((_meta(notes, video, index),),)
        )
        tracks += [found.objects for found in stream.push_batch(batch)]
    result = stream.finish()
    seen = zip(tracker.seen, tracks, strict=True)
    return [
        RecordedFrame(found=found, raw_ids=ids, comprehensive=scores, tracks=own) for (found, ids, scores), own in seen
    ], result


def clip_checks(frames: Sequence[RecordedFrame], arrays: Arrays, video: int) -> Iterator[Check]:
    """Compare boxes, scores, labels, vectors, scores against tracks and raw ids of every frame."""
    for index, frame in enumerate(frames):
        name = f"v{video}_f{index}"
        rows, found = arrays[f"{name}_boxes"], frame.found
        yield absolute("detection boxes", found.boxes, rows[:, :4], BOX_TOLERANCE)
        yield absolute("detection scores", found.scores, rows[:, 4], SCORE_TOLERANCE)
        yield equal("detection labels", found.labels, arrays[f"{name}_labels"])
        yield equal("track ids, raw", frame.raw_ids, arrays[f"{name}_ids"])
        if f"{name}_emb" in arrays:
            yield of_maximum("vectors", found.embeddings, arrays[f"{name}_emb"], MAP_TOLERANCE)
        if f"{name}_comp" in arrays:
            expected = arrays[f"{name}_comp"]
            actual = np.zeros(0) if frame.comprehensive is None else frame.comprehensive
            yield of_maximum("scores against tracks", actual, expected, COMPREHENSIVE_TOLERANCE)


def empty_start_checks(frames: Sequence[RecordedFrame], recorded: Sequence[Sequence[int]]) -> Iterator[Check]:
    """Compare raw ids of frames 0, 1, 2 of one video and then, in another, of a frame without detections, 3 and 5.

    The other video starts anew (BASELINES.md 6, B6). `frames` are those of the first recorded video.
    """
    tracker = TRACKERS.build(TRACKER)
    found = [frame.found for frame in frames]
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


def mask_checks(frames: Sequence[RecordedFrame], rles: Sequence[Mapping[str, Any]]) -> Iterator[Check]:
    """Compare the tracks of every frame and their masks."""
    for frame, recorded in zip(frames, rles, strict=True):
        ids = frame.tracks.track_ids.tolist()
        yield same_members("tracks of a frame", ids, [int(key) for key in recorded])
        for track_id, mask in zip(ids, frame.tracks.masks, strict=True):
            if str(track_id) in recorded:
                truth = decode_rle(recorded[str(track_id)])
                yield differing_pixels("track masks, pixels", mask, truth, MASK_TOLERANCE)


def result_checks(results: Sequence[VideoResult], recorded: Sequence[Mapping[str, Any]]) -> Iterator[Check]:
    """Compare the result json of both clips. The release's ids of videos and categories count from 1."""
    entries = results_to_json(results, range(1, MODEL["head"]["num_classes"] + 1))  # type: ignore[index]
    yield equal("result json entries", len(entries), len(recorded))
    for entry, expected in zip(entries, recorded, strict=False):
        for key in ("video_id", "category_id"):
            yield equal(f"result json {key}", entry[key], expected[key])
        yield absolute("result json score", entry["score"], expected["score"], SCORE_TOLERANCE)
        yield equal("result json length", len(entry["segmentations"]), len(expected["segmentations"]))
        for mine, theirs in zip(entry["segmentations"], expected["segmentations"], strict=False):
            yield equal("result json frames", mine is None, theirs is None)
            if mine is not None and theirs is not None:
                masks = decode_rle(mine), decode_rle(theirs)
                yield differing_pixels("result json masks, pixels", *masks, MASK_TOLERANCE)
