"""The predictor: a model, a tracker and the transforms of testing, made from a config and a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmdet.config import RunConfig, load_config
from mmdet.config.build import build_part
from mmdet.datasets import Transform, VideoInfo
from mmdet.engine.checkpoints.weights import load_weights, read_weights
from mmdet.engine.inference.chunks import one_behind
from mmdet.engine.inference.detector import Detector
from mmdet.engine.inference.frame_batch import FramePreparation
from mmdet.engine.inference.stream import LaunchedChunk, VideoStream
from mmdet.engine.inference.video_tracking import VideoTracking, open_video
from mmdet.engine.process.devices import chosen_device
from mmdet.engine.process.precision import reduced_type
from mmdet.fileio.sources.finding import Source
from mmdet.fileio.sources.selection import Selection
from mmdet.models.build import build_model
from mmdet.models.detectors.vis_model import VISModel
from mmdet.registry import TRACKERS, TRANSFORMS
from mmdet.structures import ClipBatch, Size, VideoResult
from mmdet.tracking import Tracker
from mmdet.tracking.joining import Joining


class VideoPredictor:
    """A model in evaluation mode with a tracker and the transforms of testing.

    `device`: where the network runs; `amp`: its precision, bf16, fp16 or off
    `cuda_graph`: `VideoStream.push` launches each frame as one CUDA graph, recorded at the first frame
    `compile`: torch.compile translates the network, which takes a minute for every new batch size or image size

    >>> predictor
    <VideoPredictor: VISModel of 3 classes on cpu>
    >>> video = predictor.track(frames)  # a file, a folder, a camera, an address, or frames (H, W, 3) uint8 RGB
    >>> for tracks in video:
    ...     print(tracks.frame_index, len(tracks), tracks.draw(video.frame).shape)
    0 5 (50, 75, 3)
    1 3 (50, 75, 3)
    >>> video.result().num_frames, len(video.to_json())
    (2, 5)
    """

    class_names: tuple[str, ...]  # by label; numbers where a checkpoint does not name them
    category_ids: tuple[int, ...]  # by label, of the data the model was trained on; labels where they are not known
    joining: Joining | None  # joins tracks of one object in the results of `run`; None: they are those of a stream
    weights: str  # which of a checkpoint's weights it has, as a person says it
    score_threshold: float | None  # of the best F1 over tracks at validation; None if the checkpoint has none

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
        self.prepare = FramePreparation(self.transforms, pinned=on_gpu)
        amp_dtype = reduced_type(amp, self.device)
        self.detector = Detector(model, self.device, amp_dtype, cuda_graph=cuda_graph, compile=compile)
        self.model = self.detector.model
        self.category_ids = tuple(range(model.num_classes))
        self.class_names = tuple(map(str, self.category_ids))
        self.weights, self.score_threshold, self.joining = "weights", None, None
        # A queue beside the network's. It has priority on the GPU because the host waits for its results.
        self.queue_beside = torch.cuda.Stream(self.device, priority=-1) if on_gpu else None

    def __repr__(self) -> str:
        return f"<VideoPredictor: {type(self.model).__name__} of {len(self.class_names)} classes on {self.device}>"

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
        config: RunConfig | str | Path,
        checkpoint: str | Path,
        device: torch.device | str | None = None,
        amp: str = "off",
        trusted: bool = False,
        class_names: Sequence[str] | None = None,
        trust_classes: bool = False,
        say: Callable[[str], object] | None = None,
        ema: bool = True,
        **speed: bool,
    ) -> VideoPredictor:
        """Build the model of a config and load the whole checkpoint into it.

        `config`: a config, its file, or a name of configs/ such as memcnp_demo
        `device`: cpu, cuda or cuda:N; None: the first GPU if there is one, else the CPU
        `amp`, `speed` (`cuda_graph`, `compile`): as in VideoPredictor
        `trusted`: the checkpoint may hold any object (see `load_checkpoint`)
        `class_names`: classes of the data, in label order, matched by name (see `load_weights`); None: the checkpoint's
        `trust_classes`: take the checkpoint's classes for the data's, whatever their names
        `say`: gets the lines about what was loaded
        `ema`: take the moving average of the weights, if the checkpoint has one; else those of the last step
        """
        if not isinstance(config, RunConfig):
            config = load_config(config)
        if not isinstance(device, torch.device):
            device = chosen_device(device)
        model, weights = build_model(config), read_weights(checkpoint, trusted, ema)
        for line in load_weights(model, weights, class_names, trust_classes):
            if say:
                say(line)
        predictor = VideoPredictor.from_model(model, config, device, amp, **speed)
        predictor.weights, predictor.score_threshold = weights.kind, weights.score_threshold
        names = weights.class_names if class_names is None else class_names
        if names is not None and len(names) == model.num_classes:
            predictor.class_names = tuple(names)
        if class_names is None and len(weights.category_ids or ()) == model.num_classes:
            predictor.category_ids = tuple(weights.category_ids or ())
        return predictor

    def stream(
        self, size: Size, video_id: int = 1, keep_result: bool = True, joining: Joining | None = None
    ) -> VideoStream:
        """Start a video whose frames have `size` (height, width). Any number of streams may run side by side.

        `keep_result`, `joining`: as in VideoStream
        """
        names, ids = self.class_names, self.category_ids
        return VideoStream(self.detector, self.tracker, self.prepare, size, video_id, names, ids, keep_result, joining)

    def track(
        self,
        source: str | Path | int | Source | Iterable[np.ndarray],
        start: str | int | None = None,
        end: str | int | None = None,
        stride: int = 1,
        max_frames: int | None = None,
        batch: int = 1,
        keep_result: bool = True,
    ) -> VideoTracking:
        """Track a video: iterate over what this returns to get the `Tracks` of its frames.

        `source`: what names one video (`find_sources`), or frames (H, W, 3) uint8 RGB, all of one size
        `start`, `end`, `stride`, `max_frames`: which frames of a named video, see `Selection`
        `batch`: so many frames go through the network at once
        `keep_result`: as in VideoStream
        Raises UserError for a source that cannot be read and, at its turn, for a frame that cannot be tracked.
        """
        selection = Selection(start=start, end=end, stride=stride, max_frames=max_frames)
        video = open_video(source, selection)
        return VideoTracking(video, partial(self.stream, keep_result=keep_result), batch)

    def run(self, batches: Iterable[ClipBatch], videos: Sequence[VideoInfo]) -> Iterator[VideoResult]:
        """Yield the results of videos in order. Each batch holds frames of one video; all frames come in order.

        A GPU computes the next chunk while the host tracks this one. Masks are drawn and encoded in a second queue.
        """
        chunks = self._launch_all(iter(batches), videos)
        for stream, chunk, is_last in one_behind(chunks) if self.queue_beside else chunks:
            with torch.cuda.stream(self.queue_beside) if self.queue_beside else nullcontext():
                stream.track(chunk)
            del chunk  # before the next one needs memory
            if is_last:
                yield stream.finish()

    def _launch_all(
        self, batches: Iterator[ClipBatch], videos: Sequence[VideoInfo]
    ) -> Iterator[tuple[VideoStream, LaunchedChunk, bool]]:
        """Launch one chunk after the other, on demand.

        Yield each with its stream and whether it is the last of its video.
        """
        for video in videos:
            stream, launched = self.stream(video.size, video.video_id, joining=self.joining), 0
            while launched < len(video.file_names):
                batch = next(batches)
                launched += len(batch.metas)
                is_last = launched >= len(video.file_names)
                yield stream, stream.launch(batch), is_last
