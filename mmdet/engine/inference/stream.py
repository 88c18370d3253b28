"""One video in progress: frames go in, tracks come out, and at the end the video's result.

`VideoStream` is the one path from a frame to a track: testing on a data set, tracking one video, live use and the
comparison with recorded numbers all use it. The network needs no results of other frames, so a chunk of frames runs as
one batch; tracking then follows frame by frame (MODEL.md 7).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from mmdet.engine.inference.detector import Detector
from mmdet.engine.inference.given_frames import check_frame
from mmdet.engine.inference.tracks import Tracks
from mmdet.models.necks import TemporalContext
from mmdet.ops.host_copy import HostCopy
from mmdet.ops.masks.segmentations import encode_masks
from mmdet.structures import (
    RLE,
    ChunkDetections,
    ClipBatch,
    FrameMeta,
    FrameObjects,
    FrameTracks,
    Ranking,
    Size,
    VideoResult,
)
from mmdet.structures.chunk_detections import unpack_rows
from mmdet.structures.short_text import ShortText
from mmdet.tracking.accumulator import VideoAccumulator
from mmdet.tracking.joining import Joining
from mmdet.tracking.running import RunningTracks
from mmdet.tracking.tracker import kept_rows


class Assigns(Protocol):
    """What a stream needs from a tracker; see `Tracker`. Its state is its own.

    It may also have a `ranking`, which says of which classes its tracks are.
    """

    def start(self) -> Any:
        """Return the state before the first frame."""

    def assign(self, state: Any, objects: FrameObjects) -> tuple[Any, Tensor]:
        """Return the next state and raw ids (N,)."""


class Prepares(Protocol):
    """What a stream needs to accept raw frames; see `FramePreparation`."""

    def __call__(self, frame: np.ndarray, video_id: int, frame_index: int) -> ClipBatch:
        """Return the batch of one frame (H, W, 3) uint8 RGB."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LaunchedChunk(ShortText):
    """Frames of one video whose detections are queued on the device. The host has not waited for them yet."""

    found: ChunkDetections
    rows: HostCopy  # of what was found
    meta: FrameMeta  # of the first frame; all have the same sizes and scale
    bad_frames: tuple[tuple[str, ...], ...] = ()  # as in the batch


class VideoStream:
    """One video in progress: its tracks, what the network keeps of its last frame, and the result so far.

    `class_names`, `category_ids`: by label; the label itself where they are not given
    `keep_result`: whether masks are encoded and kept for `finish`; without, memory stays constant however long it runs
    `joining`: joins tracks of one object in what `finish` returns; None: they stay as the stream has them

    >>> stream = predictor.stream(size=(50, 75))
    >>> for frame in frames:
    ...     tracks = stream.push(frame)
    >>> tracks.frame_index, tracks.masks.shape[1:]
    (1, torch.Size([50, 75]))
    >>> stream.finish()
    VideoResult(video_id=1, size=(50, 75), num_frames=2, tubes=5 items, bad_frames=())
    """

    def __init__(
        self,
        detector: Detector,
        tracker: Assigns,
        prepare: Prepares,
        size: Size,
        video_id: int = 1,
        class_names: Sequence[str] | None = None,
        category_ids: Sequence[int] | None = None,
        keep_result: bool = True,
        joining: Joining | None = None,
    ) -> None:
        self.detector, self.tracker, self.prepare = detector, tracker, prepare
        self.size, self.video_id = size, video_id
        labels = range(detector.model.num_classes)
        self.class_names = tuple(map(str, labels) if class_names is None else class_names)
        self.category_ids = tuple(labels if category_ids is None else category_ids)
        self.keep_result, self.joining = keep_result, joining
        self.state = tracker.start()
        self.context: TemporalContext | None = None
        self.ranking: Ranking = getattr(tracker, "ranking", Ranking())
        self.accumulator = VideoAccumulator(video_id, size, self.ranking, joining)
        self.running = RunningTracks(self.ranking)
        self.num_frames = 0
        self.bad_frames: list[str] = []

    def push(self, frame: np.ndarray, time_s: float | None = None) -> Tracks:
        """Take the next frame (H, W, 3) uint8 RGB of the stream's size; return its tracks in original pixels.

        They are on the CPU, except the masks, which stay on the device that drew them. `time_s` is passed on to them.
        Raises UserError with the remedy for anything but such a frame.
        """
        return self.push_frames([frame], [time_s])[0]

    def push_frames(self, frames: Sequence[np.ndarray], times_s: Sequence[float | None] | None = None) -> list[Tracks]:
        """Take the next frames at once, which is faster and shows their tracks later; see `push`."""
        for index, frame in enumerate(frames, self.num_frames):
            check_frame(frame, index, self.size)
        batches = [self.prepare(frame, self.video_id, index) for index, frame in enumerate(frames, self.num_frames)]
        return self.push_batch(ClipBatch.join(batches), times_s) if batches else []

    def push_batch(self, batch: ClipBatch, times_s: Sequence[float | None] | None = None) -> list[Tracks]:
        """Take the next frames of the video as one batch (B = frames, T = 1), and their times if they are known.

        Return the tracks of each, as `push` does.
        """
        if times_s is not None and len(times_s) != len(batch.metas):
            raise ValueError(f"{len(times_s)} times for {len(batch.metas)} frames: give one for each")
        return self.track(self.launch(batch, live=True), times_s)

    def launch(self, batch: ClipBatch, live: bool = False) -> LaunchedChunk:
        """Queue the network's work on the next frames. Pass the returned chunks to `track` in the same order.

        A chunk launched with `live` must be tracked before the next one is launched with `live`.
        """
        detect = self.detector.detect_live if live else self.detector.detect
        found, self.context = detect(batch, self.context)
        rows = HostCopy(found.rows)
        return LaunchedChunk(found=found, rows=rows, meta=batch.metas[0][0], bad_frames=batch.bad_frames)

    @torch.no_grad()
    def track(self, chunk: LaunchedChunk, times_s: Sequence[float | None] | None = None) -> list[Tracks]:
        """Wait for the detections of a chunk, track them, and draw and encode the masks of those that have a track."""
        packed, ids = chunk.rows.wait().clone(), []  # a copy: page-locked memory is scarce
        objects = unpack_rows(packed, chunk.found.num_class_scores)
        for index, bad in enumerate(chunk.bad_frames):
            if bad:  # another frame was used in its place
                objects[index] = objects[index][:0]
                self.bad_frames += bad
        for frame in objects:
            self.state, own = self.tracker.assign(self.state, frame)
            ids.append(own)
        rows = [kept_rows(own) for own in ids]
        masks = self.detector.draw(chunk.found, rows, chunk.meta)
        codes = encode_masks(masks) if self.keep_result else None
        tracks, start = [], 0
        for index, (frame, own, shown) in enumerate(zip(objects, ids, rows, strict=True)):
            part = slice(start, start + len(shown))
            if len(shown) < len(own):
                kept = torch.tensor(shown, dtype=torch.int64)
                frame, own = frame[kept], own[kept]
            seen = FrameTracks.from_objects(frame, masks[part], own)
            tracks.append(self._add(seen, codes and codes[part], times_s[index] if times_s else None))
            start = part.stop
        return tracks

    def _add(self, seen: FrameTracks, codes: Sequence[RLE] | None, time_s: float | None) -> Tracks:
        """Add the tracks of the next frame to the result, and say what is known of each so far."""
        if codes is not None:
            self.accumulator.add(seen, codes)
        labels, scores = self.running.add(seen.track_ids, seen.labels, seen.scores, seen.class_scores)
        self.num_frames += 1
        return Tracks(
            objects=seen,
            track_labels=labels,
            track_scores=scores,
            class_names=self.class_names,
            category_ids=self.category_ids,
            frame_index=self.num_frames - 1,
            time_s=time_s,
        )

    def finish(self) -> VideoResult:
        """Return the tracks of all frames so far. Raises ValueError for a stream that does not keep them."""
        if not self.keep_result:
            raise ValueError("this stream keeps no result: start it with keep_result=True")
        return replace(self.accumulator.finish(), bad_frames=tuple(self.bad_frames))

    def cut(self) -> VideoResult:
        """Return what `finish` does of the frames since the last cut, and forget them. Tracking goes on."""
        result = self.finish()
        self.accumulator = VideoAccumulator(self.video_id, self.size, self.ranking, self.joining)
        self.bad_frames = []
        return result
