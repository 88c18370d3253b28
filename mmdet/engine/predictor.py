"""Inference: one stream a video, from frames to tracks and to the video's result, with constant memory.

`VideoStream` is the one core: testing a data set, a user's own video and live use all push frames into it. Network work
depends on no results of other frames, so a chunk of frames runs as one batch; tracking follows in order (MODEL.md 7).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmdet.config import RunConfig
from mmdet.datasets import RawFrame, Transform, VideoInfo
from mmdet.engine.checkpoint import load_weights, read_weights
from mmdet.engine.distributed import place
from mmdet.evaluation.accumulator import VideoAccumulator
from mmdet.models.build import build_model, build_part
from mmdet.models.necks import TemporalContext
from mmdet.models.vis_model import VISModel
from mmdet.registry import TRACKERS, TRANSFORMS
from mmdet.structures import (
    ClipBatch,
    ClipSample,
    FrameDetections,
    FrameMeta,
    FrameTracks,
    FrameTruth,
    Size,
    VideoResult,
    collate_clips,
)
from mmdet.tracking import Tracker

AMP_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class VideoStream:
    """One video under way: its tracks, what the network keeps of its last frame, and the result so far."""

    def __init__(self, predictor: VideoPredictor, size: Size, video_id: int = 1) -> None:
        self.predictor, self.size, self.video_id = predictor, size, video_id
        self.state = predictor.tracker.start(predictor.device)
        self.context: TemporalContext | None = None
        self.accumulator = VideoAccumulator(video_id, size)
        self.num_frames = 0

    def push(self, frame: np.ndarray) -> FrameTracks:
        """Take the next frame (H, W, 3) uint8 RGB of the stream's size; return its tracks in original pixels."""
        if frame.dtype != np.uint8 or frame.shape != (*self.size, 3):
            got = f"{frame.dtype} of shape {frame.shape}"
            raise ValueError(f"frame {self.num_frames}: expected uint8 of shape {(*self.size, 3)}, got {got}")
        return self.push_batch(self.predictor.prepare(frame, self.video_id, self.num_frames))[0]

    def push_batch(self, batch: ClipBatch) -> list[FrameTracks]:
        """Take the next frames of the video as one batch (B = frames, T = 1); return the tracks of each."""
        tracks = []
        frames, self.context = self.predictor.detect(batch, self.context)
        for detections in frames:
            self.state, found = self.predictor.tracker.step(self.state, detections)
            self.accumulator.add(found)
            tracks.append(found)
        self.num_frames += len(tracks)
        return tracks

    def finish(self) -> VideoResult:
        """Return the tracks of all frames so far."""
        return self.accumulator.finish()


class VideoPredictor:
    """A model in evaluation with a tracker and the transforms of testing. `amp`: bf16, fp16 or off."""

    def __init__(
        self,
        model: VISModel,
        tracker: Tracker,
        transforms: Sequence[Transform],
        device: torch.device | str = "cpu",
        amp: str = "off",
    ) -> None:
        self.device = torch.device(device)
        self.model = place(model, self.device).eval()
        self.tracker, self.transforms = tracker, list(transforms)
        self.amp_dtype = AMP_DTYPES.get(amp) if self.device.type == "cuda" else None

    @staticmethod
    def from_model(model: VISModel, config: RunConfig, device: torch.device | str, amp: str = "off") -> VideoPredictor:
        """Wrap a model with the tracker and the test transforms of its config."""
        tracker: Tracker = build_part(TRACKERS, config.tracker, "config.tracker")
        steps: list[dict[str, Any]] = config.data.test.dataset.get("transforms", [])
        return VideoPredictor(model, tracker, [TRANSFORMS.build(step) for step in steps], device, amp)

    @staticmethod
    def from_checkpoint(
        config: RunConfig,
        checkpoint: str | Path,
        device: torch.device | str = "cpu",
        amp: str = "off",
        trusted: bool = False,
    ) -> VideoPredictor:
        """Build the model of a config and load a checkpoint of it strictly; `trusted`: see load_checkpoint."""
        model = build_model(config)
        load_weights(model, read_weights(checkpoint, trusted).tensors, checkpoint)
        return VideoPredictor.from_model(model, config, device, amp)

    def stream(self, size: Size, video_id: int = 1) -> VideoStream:
        """Start a video of frames of `size` (height, width)."""
        return VideoStream(self, size, video_id)

    def run(self, batches: Iterable[ClipBatch], videos: Sequence[VideoInfo]) -> Iterator[VideoResult]:
        """Yield the results of videos, in order, from batches of frames of one video each, all frames in order."""
        batches = iter(batches)
        for video in videos:
            stream = self.stream(video.size, video.video_id)
            while stream.num_frames < len(video.file_names):
                stream.push_batch(next(batches))
            yield stream.finish()

    @torch.inference_mode()
    def detect(
        self, batch: ClipBatch, context: TemporalContext | None
    ) -> tuple[list[FrameDetections], TemporalContext | None]:
        """Return the detections of the next frames of a video (T = 1), and the context for those after them."""
        images = batch.images.to(self.device, non_blocking=True)
        valid = batch.valid.to(self.device, non_blocking=True)
        with torch.autocast(self.device.type, dtype=self.amp_dtype, enabled=self.amp_dtype is not None):
            outputs, context = self.model.continue_video(images, valid, context)
        return self.model.predict(outputs, [clip[0] for clip in batch.metas]), context

    def prepare(self, frame: np.ndarray, video_id: int, frame_index: int) -> ClipBatch:
        """Transform one frame (H, W, 3) uint8 RGB as in testing and make it a batch."""
        size = (frame.shape[0], frame.shape[1])
        no_boxes, no_masks = np.zeros((0, 4), np.float32), np.zeros((0, *size), np.uint8)
        frames = [RawFrame(image=frame, boxes=no_boxes, masks=no_masks, scale=1.0, original_size=size)]
        for transform in self.transforms:
            frames = transform(frames, np.random.default_rng(0))  # test transforms draw nothing
        image = torch.from_numpy(np.ascontiguousarray(frames[0].image.transpose(2, 0, 1)))[None]
        input_size = (image.shape[-2], image.shape[-1])
        meta = FrameMeta(
            video_id=video_id, frame_index=frame_index, original_size=size, input_size=input_size, scale=frames[0].scale
        )
        truth = FrameTruth.empty(input_size)
        sample = ClipSample(images=image, truths=(truth,), metas=(meta,), reference_jitter=torch.zeros(0, 4))
        return collate_clips([sample])
