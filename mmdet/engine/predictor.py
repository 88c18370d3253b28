"""Inference: one stream a video, from frames to tracks and to the video's result, with constant memory.

`VideoStream` is the one core: testing a data set, a user's own video and live use all push frames into it. Network work
depends on no results of other frames, so a chunk of frames runs as one batch; tracking follows in order (MODEL.md 7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from mmdet.config import RunConfig
from mmdet.datasets import RawFrame, Transform, VideoInfo
from mmdet.engine.detector import Detector
from mmdet.engine.precision import reduced_type
from mmdet.engine.weights import load_weights, read_weights
from mmdet.evaluation.accumulator import VideoAccumulator
from mmdet.models.build import build_model, build_part
from mmdet.models.necks import TemporalContext
from mmdet.models.vis_model import SIZE_DIVISOR, VISModel
from mmdet.ops.host_copy import HostCopy
from mmdet.ops.masks import encode_masks
from mmdet.registry import TRACKERS, TRANSFORMS
from mmdet.structures import (
    ChunkDetections,
    ClipBatch,
    FrameMeta,
    FrameTracks,
    Size,
    VideoResult,
)
from mmdet.structures.detections import unpack_rows
from mmdet.tracking import Tracker
from mmdet.tracking.tracker import standing

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchedChunk:
    """Frames of one video whose detections are queued on the device; the host has not waited for them yet."""

    found: ChunkDetections
    rows: HostCopy  # of what was found
    meta: FrameMeta  # of the first frame; sizes and scale are those of all
    bad_frames: tuple[tuple[str, ...], ...] = ()  # as in the batch


class VideoStream:
    """One video under way: its tracks, what the network keeps of its last frame, and the result so far."""

    def __init__(self, predictor: VideoPredictor, size: Size, video_id: int = 1) -> None:
        self.predictor, self.size, self.video_id = predictor, size, video_id
        self.state = predictor.tracker.start()
        self.context: TemporalContext | None = None
        self.accumulator = VideoAccumulator(video_id, size)
        self.num_frames = 0
        self.bad_frames: list[str] = []

    def push(self, frame: np.ndarray) -> FrameTracks:
        """Take the next frame (H, W, 3) uint8 RGB of the stream's size; return its tracks in original pixels.

        They are on the CPU but for the masks, which stay on the device that drew them.
        """
        if frame.dtype != np.uint8 or frame.shape != (*self.size, 3):
            got = f"{frame.dtype} of shape {frame.shape}"
            raise ValueError(f"frame {self.num_frames}: expected uint8 of shape {(*self.size, 3)}, got {got}")
        return self.push_batch(self.predictor.prepare(frame, self.video_id, self.num_frames))[0]

    def push_batch(self, batch: ClipBatch) -> list[FrameTracks]:
        """Take the next frames of the video as one batch (B = frames, T = 1); return the tracks of each, as `push`."""
        return self.track(self.launch(batch, live=True))

    def launch(self, batch: ClipBatch, live: bool = False) -> LaunchedChunk:
        """Queue the network's work on the next frames; `track` has to be given the chunks in the same order.

        What is launched `live` has to be tracked before anything else is launched live.
        """
        detector = self.predictor.detector
        found, self.context = (detector.detect_live if live else detector.detect)(batch, self.context)
        rows = HostCopy(found.rows)
        return LaunchedChunk(found=found, rows=rows, meta=batch.metas[0][0], bad_frames=batch.bad_frames)

    @torch.no_grad()
    def track(self, chunk: LaunchedChunk) -> list[FrameTracks]:
        """Wait for the detections of a chunk, track them, and draw and encode the masks of what has a track."""
        objects, ids = unpack_rows(chunk.rows.wait().clone()), []  # a copy: page-locked memory is scarce
        for index, bad in enumerate(chunk.bad_frames):
            if bad:  # another frame was shown in its place
                objects[index] = objects[index][:0]
                self.bad_frames += bad
        for frame in objects:
            self.state, own = self.predictor.tracker.assign(self.state, frame)
            ids.append(own)
        rows = [standing(own) for own in ids]
        masks = self.predictor.detector.draw(chunk.found, rows, chunk.meta)
        codes = encode_masks(masks)
        tracks, start = [], 0
        for frame, own, shown in zip(objects, ids, rows, strict=True):
            part = slice(start, start + len(shown))
            if len(shown) < len(own):
                kept = torch.tensor(shown, dtype=torch.int64)
                frame, own = frame[kept], own[kept]
            seen = FrameTracks.of(frame, masks[part], own)
            self.accumulator.add(seen, codes[part])
            tracks.append(seen)
            start = part.stop
        self.num_frames += len(tracks)
        return tracks

    def finish(self) -> VideoResult:
        """Return the tracks of all frames so far."""
        return replace(self.accumulator.finish(), bad_frames=tuple(self.bad_frames))


class VideoPredictor:
    """A model in evaluation with a tracker and the transforms of testing. `amp`: bf16, fp16 or off.

    `cuda_graph` lets streams that are pushed frame by frame launch each as one CUDA graph, recorded at the first frame;
    `compile` translates the network by torch.compile, which takes a minute for every new size of batches.
    """

    class_names: tuple[str, ...]  # by label; numbers where a checkpoint does not name them

    def __init__(
        self,
        model: VISModel,
        tracker: Tracker,
        transforms: Sequence[Transform],
        device: torch.device | str = "cpu",
        amp: str = "off",
        cuda_graph: bool = False,
        compile: bool = False,
    ) -> None:
        self.device = torch.device(device)
        self.tracker, self.transforms = tracker, list(transforms)
        on_gpu = self.device.type == "cuda"
        amp_dtype = reduced_type(amp, self.device)
        self.detector = Detector(model, self.device, amp_dtype, cuda_graph=cuda_graph, compile=compile)
        self.model = self.detector.model
        self.class_names = tuple(map(str, range(model.num_classes)))
        # A queue beside that of the network; the GPU takes from it first, as the host waits for what is in it.
        self._beside = torch.cuda.Stream(self.device, priority=-1) if on_gpu else None

    @staticmethod
    def from_model(
        model: VISModel, config: RunConfig, device: torch.device | str, amp: str = "off", **speed: bool
    ) -> VideoPredictor:
        """Wrap a model with the tracker and the test transforms of its config; `speed`: cuda_graph, compile."""
        tracker: Tracker = build_part(TRACKERS, config.tracker, "config.tracker")
        steps: list[dict[str, Any]] = config.data.test.dataset.get("transforms", [])
        return VideoPredictor(model, tracker, [TRANSFORMS.build(step) for step in steps], device, amp, **speed)

    @staticmethod
    def from_checkpoint(
        config: RunConfig,
        checkpoint: str | Path,
        device: torch.device | str = "cpu",
        amp: str = "off",
        trusted: bool = False,
        class_names: Sequence[str] | None = None,
        trust_classes: bool = False,
        say: Callable[[str], object] | None = None,
        **speed: bool,
    ) -> VideoPredictor:
        """Build the model of a config and load a checkpoint of it strictly; `trusted`: see load_checkpoint.

        `class_names` are those of the data that labels shall mean, matched by name (see load_weights); None: those that
        the checkpoint names. `say` gets the lines about what was loaded. `speed`: cuda_graph, compile.
        """
        model, weights = build_model(config), read_weights(checkpoint, trusted)
        for line in load_weights(model, weights, class_names, trust_classes):
            if say:
                say(line)
        predictor = VideoPredictor.from_model(model, config, device, amp, **speed)
        names = weights.class_names if class_names is None else class_names
        if names is not None and len(names) == model.num_classes:
            predictor.class_names = tuple(names)
        return predictor

    def stream(self, size: Size, video_id: int = 1) -> VideoStream:
        """Start a video of frames of `size` (height, width)."""
        return VideoStream(self, size, video_id)

    def run(self, batches: Iterable[ClipBatch], videos: Sequence[VideoInfo]) -> Iterator[VideoResult]:
        """Yield the results of videos, in order, from batches of frames of one video each, all frames in order.

        A GPU works on the next chunk while the host tracks one; its masks are drawn and encoded beside the network.
        """
        chunks = self._launch_all(iter(batches), videos)
        for stream, chunk, is_last in one_behind(chunks) if self._beside else chunks:
            with torch.cuda.stream(self._beside) if self._beside else nullcontext():
                stream.track(chunk)
            del chunk  # before the next one needs memory
            if is_last:
                yield stream.finish()

    def _launch_all(
        self, batches: Iterator[ClipBatch], videos: Sequence[VideoInfo]
    ) -> Iterator[tuple[VideoStream, LaunchedChunk, bool]]:
        """Launch one chunk after the other, as asked; yield it with its stream and whether it is its video's last."""
        for video in videos:
            stream, launched = self.stream(video.size, video.video_id), 0
            while launched < len(video.file_names):
                batch = next(batches)
                launched += len(batch.metas)
                is_last = launched >= len(video.file_names)
                yield stream, stream.launch(batch), is_last

    def prepare(self, frame: np.ndarray, video_id: int, frame_index: int) -> ClipBatch:
        """Transform one frame (H, W, 3) uint8 RGB as in testing; return the batch that `collate_clips` makes of it.

        Its images lie as the transforms left them, colours innermost, in page-locked memory if a GPU takes them from
        there. Frames of one size share `valid`, which nobody may change.
        """
        size, pinned = (frame.shape[0], frame.shape[1]), self.device.type == "cuda"
        no_boxes, no_masks = np.zeros((0, 4), np.float32), np.zeros((0, *size), np.uint8)
        rooms: list[tuple[np.ndarray, Tensor]] = []

        def allocate(shape: tuple[int, ...]) -> np.ndarray:
            rooms.append(_padded_room((shape[0], shape[1]), pinned))
            return rooms[-1][0]

        raw = RawFrame(image=frame, boxes=no_boxes, masks=no_masks, scale=1.0, original_size=size, allocate=allocate)
        frames = [raw]
        for transform in self.transforms:
            frames = transform(frames, np.random.default_rng(0))  # test transforms draw nothing
        image = frames[0].image
        input_size = (image.shape[0], image.shape[1])
        if not rooms or image is not rooms[-1][0]:  # the last transform left it elsewhere
            np.copyto(allocate(image.shape), image)
        meta = FrameMeta(
            video_id=video_id, frame_index=frame_index, original_size=size, input_size=input_size, scale=frames[0].scale
        )
        images = rooms[-1][1].permute(2, 0, 1)[None, None]
        return ClipBatch(images=images, valid=_valid_pixels(input_size, pinned), truth=None, metas=((meta,),))


def _padded_room(size: Size, pinned: bool) -> tuple[np.ndarray, Tensor]:
    """Return memory for an image (H, W, 3) uint8 of `size`, and the same memory with the padding around it, zeros."""
    room = torch.empty(*_padded(size), 3, dtype=torch.uint8, pin_memory=pinned)
    pixels = room.numpy()
    pixels[size[0] :] = 0
    pixels[: size[0], size[1] :] = 0
    return pixels[: size[0], : size[1]], room


@lru_cache(maxsize=8)
def _valid_pixels(size: Size, pinned: bool) -> Tensor:
    """Return `ClipBatch.valid` (1, 1, H, W) of one image of `size`, padded."""
    valid = torch.zeros(1, 1, *_padded(size), dtype=torch.bool, pin_memory=pinned)
    valid[..., : size[0], : size[1]] = True
    return valid


def _padded(size: Size) -> Size:
    """Round up a size as `collate_clips` does."""
    height, width = (-(-side // SIZE_DIVISOR) * SIZE_DIVISOR for side in size)
    return height, width


def one_behind(items: Iterable[Item]) -> Iterator[Item]:
    """Yield every item once the one after it is there."""
    waiting: list[Item] = []
    for item in items:
        waiting.append(item)
        del item
        if len(waiting) > 1:
            yield waiting.pop(0)
    yield from waiting
