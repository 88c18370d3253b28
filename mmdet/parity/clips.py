"""Recorded clips of the baselines: tracked as a user's stream does it; their masks and their result json compared.

Source: BASELINES.md 1.4, 1.5 and 7.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmdet.engine.inference.detector import Detector
from mmdet.engine.inference.frame_batch import FramePreparation
from mmdet.engine.inference.stream import VideoStream
from mmdet.ops.masks.segmentations import decode_rle
from mmdet.parity.checks import Check, absolute, differing_pixels, equal, same_members
from mmdet.parity.inference import TrackedClip
from mmdet.structures import ClipBatch, FrameMeta, FrameObjects, VideoResult, results_to_json
from mmdet.tracking import Tracker
from mmdet.tracking.affinity import affinity
from mmdet.tracking.state import TrackState

Affinities = Sequence[np.ndarray | None]  # of each frame; None where it or the video so far shows nothing


def recorded_meta(notes: Mapping[str, Any], video_id: int, index: int) -> FrameMeta:
    """Return what is known of a recorded frame."""
    (height, width), resized = notes["ori_shape"][:2], notes["img_shape"]
    return FrameMeta(
        video_id=video_id,
        frame_index=index,
        original_size=(height, width),
        input_size=(resized[0], resized[1]),
        scale=notes["scale_factor"],
    )


class WatchedTracker:
    """A tracker that stores what it gets, the affinities and the raw ids."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self.seen: list[FrameObjects] = []
        self.raw_ids: list[Tensor] = []
        self.affinities: list[np.ndarray | None] = []

    def start(self) -> TrackState:
        """Return the state before a video's first frame."""
        return self._tracker.start()

    def assign(self, state: TrackState, objects: FrameObjects) -> tuple[TrackState, Tensor]:
        """Return the next state and raw ids, as the tracker does."""
        known = None
        if len(state) and len(objects):
            values = objects.embeddings, objects.boxes.numpy(), objects.labels.numpy(), objects.scores
            known = affinity(*values, state, self._tracker.temperature, self._tracker.weights)
        self.affinities.append(known)
        self.seen.append(objects)
        state, ids = self._tracker.assign(state, objects)
        self.raw_ids.append(ids)
        return state, ids


def follow(
    model: Any, tracker: Tracker, images: Tensor, valid: Tensor, metas: Sequence[FrameMeta]
) -> tuple[TrackedClip, Affinities]:
    """Detect and track frame by frame; images (T, 3, H, W), normalised and padded, valid (T, H, W) bool."""
    watched = WatchedTracker(tracker)
    detector = Detector(model, torch.device("cpu"), amp_dtype=None, cuda_graph=False, compile=False)
    preparation, first = FramePreparation([], pinned=False), metas[0]
    stream = VideoStream(detector, watched, preparation, first.original_size, first.video_id)
    tracks = []
    for image, inside, meta in zip(images, valid, metas, strict=True):
        batch = ClipBatch(images=image[None, None], valid=inside[None, None], truth=None, metas=((meta,),))
        tracks += [found.objects for found in stream.push_batch(batch)]
    clip = TrackedClip(
        detections=tuple(watched.seen), raw_ids=tuple(watched.raw_ids), tracks=tuple(tracks), result=stream.finish()
    )
    return clip, watched.affinities


def mask_checks(clip: TrackedClip, rles: Sequence[Mapping[str, Any]], tolerance: float) -> Iterator[Check]:
    """Compare the tracks of every frame and their masks, which may differ by `tolerance` pixels."""
    yield equal("frames with masks", len(clip.tracks), len(rles))
    for tracks, recorded in zip(clip.tracks, rles, strict=False):
        ids = tracks.track_ids.tolist()
        yield same_members("tracks of a frame", ids, [int(key) for key in recorded])
        for track_id, mask in zip(ids, tracks.masks, strict=True):
            if str(track_id) in recorded:
                truth = decode_rle(recorded[str(track_id)])
                yield differing_pixels("track masks, pixels", mask, truth, tolerance)


def result_checks(
    results: Sequence[VideoResult],
    recorded: Sequence[Mapping[str, Any]],
    num_classes: int,
    score_tolerance: float,
    mask_tolerance: float,
) -> Iterator[Check]:
    """Compare the result json of the videos. The release's ids of videos and categories count from 1."""
    entries = results_to_json(results, range(1, num_classes + 1))
    yield equal("result json entries", len(entries), len(recorded))
    for entry, expected in zip(entries, recorded, strict=False):
        yield same_members("result json keys", entry, expected)
        for key in ("video_id", "category_id"):
            yield equal(f"result json {key}", entry[key], expected[key])
        yield absolute("result json score", entry["score"], expected["score"], score_tolerance)
        yield equal("result json length", len(entry["segmentations"]), len(expected["segmentations"]))
        for ours, theirs in zip(entry["segmentations"], expected["segmentations"], strict=False):
            yield equal("result json frames", ours is None, theirs is None)
            if ours is not None and theirs is not None:
                masks = decode_rle(ours), decode_rle(theirs)
                yield differing_pixels("result json masks, pixels", *masks, mask_tolerance)
