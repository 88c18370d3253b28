"""Recorded numbers of evaluation: network outputs, and detections, ids, masks and result json of two clips.

Source: MODEL.md 1-5, 7 and 8. Every function is pure and yields `Check`s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mmdet.engine.inference.detector import Detector
from mmdet.engine.inference.frame_batch import FramePreparation
from mmdet.engine.inference.stream import VideoStream
from mmdet.models import VISModel
from mmdet.ops.masks.segmentations import decode_rle
from mmdet.parity.checks import Check, absolute, differing_pixels, equal, mixed, of_maximum, same_members
from mmdet.structures import ClipBatch, FrameMeta, FrameObjects, FrameTracks, Size, VideoResult, results_to_json
from mmdet.tracking import Tracker
from mmdet.tracking.state import TrackState

Arrays = Mapping[str, np.ndarray]

OUTPUT_TOLERANCE = 1e-5  # of an array's maximum: float32 on the CPU
BOX_TOLERANCE = 2e-3  # original pixels
SCORE_TOLERANCE = 1e-5  # scores, sigmas, centerness
MASK_TOLERANCE = 2  # pixels
IMAGE_SCALE = 32  # images were recorded as int8: image = int8 / 32
TIE = 1e-7  # scores this close may come in any order: the resolution of float32


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedClip:
    """A clip as computed here: per frame the detections in the recorded order, their raw ids, and the tracks."""

    detections: tuple[FrameObjects, ...]
    raw_ids: tuple[Tensor, ...]
    tracks: tuple[FrameTracks, ...]
    result: VideoResult


def images_of(arrays: Arrays, name: str = "images_i8") -> Tensor:
    """Return recorded images, normalised and padded."""
    return torch.from_numpy(arrays[name]).float() / IMAGE_SCALE


def per_point(arrays: Arrays, name: str) -> Tensor:
    """Return recorded maps (B, C, h, w) of the four levels as (B, P, C)."""
    return torch.cat([torch.from_numpy(arrays[f"{name}_{level}"]).flatten(2) for level in range(4)], 2).transpose(1, 2)


def _valid(images: Tensor) -> Tensor:
    return torch.ones(len(images), 1, *images.shape[-2:], dtype=torch.bool)


@torch.no_grad()
def network_checks(model: VISModel, arrays: Arrays) -> Iterator[Check]:
    """Compare the maps of backbone and neck."""
    maps = model.backbone(images_of(arrays)[:1])
    for level, values in enumerate(maps):
        yield of_maximum(f"backbone map {level}", values, arrays[f"vit_{level}"], OUTPUT_TOLERANCE)
    for level, values in enumerate(model.neck(maps)):
        yield of_maximum(f"neck map {level}", values, arrays[f"fpn_{level}"], OUTPUT_TOLERANCE)


@torch.no_grad()
def head_checks(model: VISModel, arrays: Arrays) -> Iterator[Check]:
    """Compare all outputs of the head for the first frame."""
    images = images_of(arrays)[:1]
    out = model(images[:, None], _valid(images))
    raw = per_point(arrays, "reg")
    points = np.concatenate([arrays[f"relpos_{level}"][0] for level in range(4)])
    sampled = out.mask_basis[:, :, 1::4, 2::4]
    yield equal("head mask basis shape", tuple(out.mask_basis.shape), arrays["feat_masks_shape"])
    for name, actual, expected in (
        ("class logits", out.cls_logits, per_point(arrays, "cls")),
        ("centerness logits", out.centerness_logits, per_point(arrays, "center")[..., 0]),
        ("box distances", out.box_ltrb, raw[..., :4].sigmoid()),
        ("box sigma", out.box_sigma, 0.1 + 0.9 * F.softplus(raw[..., 4:])),  # MODEL.md 5
        ("points", out.points.xy / out.points.box_scale[:2], points),
        ("embedding map", out.embedding_map, arrays["track_feats"]),
        ("mask basis", sampled, arrays["feat_masks_sub"]),
        ("mask basis sums", out.mask_basis.double().sum((2, 3)), arrays["feat_masks_chan_sum"]),
    ):
        yield of_maximum(f"head {name}", actual, expected, OUTPUT_TOLERANCE)


class _InRecordedOrder:
    """A tracker that gets detections with tied scores in the recorded order, and stores its inputs and outputs."""

    def __init__(self, arrays: Arrays) -> None:
        self._tracker, self._arrays = Tracker(), arrays
        self.seen: list[FrameObjects] = []
        self.raw_ids: list[Tensor] = []

    def start(self) -> TrackState:
        return self._tracker.start()

    def assign(self, state: TrackState, objects: FrameObjects) -> tuple[TrackState, Tensor]:
        rows, labels = (self._arrays[f"f{len(self.seen)}_{name}"] for name in ("boxes", "labels"))
        order = recorded_order(objects, rows, labels)
        self.seen.append(objects[order])
        state, ids = self._tracker.assign(state, self.seen[-1])
        self.raw_ids.append(ids)
        return state, ids[order.argsort()]


def track_clip(model: VISModel, arrays: Arrays, about: Mapping[str, Any], video_id: int) -> TrackedClip:
    """Detect and track frame by frame; `about` has the sizes (`ori_shape`, `img_shape`) and `scale_factor`."""
    original: Size = (about["ori_shape"][0], about["ori_shape"][1])
    resized: Size = (about["img_shape"][0], about["img_shape"][1])
    tracker = _InRecordedOrder(arrays)
    detector = Detector(model, torch.device("cpu"), amp_dtype=None, cuda_graph=False, compile=False)
    stream = VideoStream(detector, tracker, FramePreparation([], pinned=False), original, video_id)
    tracks: list[FrameTracks] = []
    for index, image in enumerate(images_of(arrays)):
        meta = FrameMeta(
            video_id=video_id,
            frame_index=index,
            original_size=original,
            input_size=resized,
            scale=about["scale_factor"],
        )
        images = image[None, None]
        batch = ClipBatch(images=images, valid=_valid(images[0]), truth=None, metas=((meta,),))
        tracks += [found.objects for found in stream.push_batch(batch)]
    return TrackedClip(
        detections=tuple(tracker.seen), raw_ids=tuple(tracker.raw_ids), tracks=tuple(tracks), result=stream.finish()
    )


def recorded_order(found: FrameObjects, rows: np.ndarray, labels: np.ndarray) -> Tensor:
    """Return the order in which detections with tied scores are as recorded; all others stay in place."""
    order = list(range(len(found)))
    if len(rows) != len(found):
        return torch.tensor(order, dtype=torch.int64)
    start = 0
    for end in range(1, len(rows) + 1):
        if end < len(rows) and abs(rows[end, 4] - rows[end - 1, 4]) <= TIE:
            continue
        free = order[start:end]
        for place in range(start, end):
            box = torch.from_numpy(rows[place, :4])
            off = [float((found.boxes[row] - box).abs().max()) + (found.labels[row] != labels[place]) for row in free]
            order[place] = free.pop(int(np.argmin(off)))
        start = end
    return torch.tensor(order, dtype=torch.int64)


def detection_checks(clip: TrackedClip, arrays: Arrays) -> Iterator[Check]:
    """Compare boxes, figures, labels and raw ids of every frame."""
    for index, found in enumerate(clip.detections):
        rows = arrays[f"f{index}_boxes"]
        figures = torch.cat((found.scores[:, None], found.box_sigma, found.centerness[:, None]), dim=1)
        yield absolute("detection boxes", found.boxes, rows[:, :4], BOX_TOLERANCE)
        for name, columns in (("scores", slice(0, 1)), ("sigma", slice(1, 5)), ("centerness", slice(5, 6))):
            yield mixed(f"detection {name}", figures[:, columns], rows[:, 4:][:, columns], SCORE_TOLERANCE)
        yield equal("detection labels", found.labels, arrays[f"f{index}_labels"])
        yield equal("track ids, raw", clip.raw_ids[index], arrays[f"f{index}_ids"])


def mask_checks(clip: TrackedClip, rles: Sequence[Mapping[str, Any]]) -> Iterator[Check]:
    """Compare the tracks of every frame and their masks."""
    for tracks, recorded in zip(clip.tracks, rles, strict=True):
        ids = tracks.track_ids.tolist()
        yield same_members("tracks of a frame", ids, [int(key) for key in recorded])
        for track_id, mask in zip(ids, tracks.masks, strict=True):
            if str(track_id) in recorded:
                truth = decode_rle(recorded[str(track_id)])
                yield differing_pixels("track masks, pixels", mask, truth, MASK_TOLERANCE)


def result_checks(
    results: Sequence[VideoResult], recorded: Sequence[Mapping[str, Any]], num_classes: int
) -> Iterator[Check]:
    """Compare the result json of the clips. The release's ids of videos and categories count from 1."""
    entries = results_to_json(results, range(1, num_classes + 1), with_boxes=True)
    yield equal("result json entries", len(entries), len(recorded))
    for entry, expected in zip(entries, recorded, strict=False):
        yield same_members("result json keys", entry, expected)
        for key in ("video_id", "category_id"):
            yield equal(f"result json {key}", entry[key], expected[key])
        yield absolute("result json score", entry["score"], expected["score"], SCORE_TOLERANCE)
        for key in ("cats", "detections", "segmentations"):
            yield equal(f"result json length of {key}", len(entry[key]), len(expected[key]))
            yield same_members(f"result json frames of {key}", _seen(entry[key]), _seen(expected[key]))
        for frame in sorted(_seen(entry["segmentations"]) & _seen(expected["segmentations"])):
            yield equal("result json cats", entry["cats"][frame], expected["cats"][frame])
            boxes = entry["detections"][frame], expected["detections"][frame]
            yield absolute("result json detections", *boxes, BOX_TOLERANCE)
            masks = [decode_rle(rows["segmentations"][frame]) for rows in (entry, expected)]
            yield differing_pixels("result json segmentations, pixels", masks[0], masks[1], MASK_TOLERANCE)


def _seen(values: Sequence[Any]) -> set[int]:
    """Return the frames in which a track is seen."""
    return {frame for frame, value in enumerate(values) if value is not None}
