"""Memory over a long video: push a made-up video of any length frame by frame and measure what the process holds.

Frames are generated when they are asked for and never stored. A model with random weights draws noise, whose codes are
ten times as long as those of real masks: `smooth_masks` gives it areas with smooth outlines instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from mmdet.config import RunConfig
from mmdet.engine.inference.predictor import VideoPredictor
from mmdet.engine.process.memory import resident_bytes
from mmdet.errors import UserError
from mmdet.models.detectors.vis_model import VISModel
from mmdet.models.postprocess.detections import PostProcess
from mmdet.structures import ChunkDetections, FrameMeta, HeadOutputs, Size

MIB = 2**20
DISCS = 24  # discs in a frame
_RADIUS = 12  # the discs' radius is the short side divided by this
_SMOOTHING = 33  # cells of the mask basis, which has a stride of 2
_COARSE = 128  # cells per side of the background before it is enlarged, so that making frames is fast
_PERIOD = 97  # frames of the slowest movement; a prime, so that frames do not repeat soon


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySample:
    """The memory after so many frames, in MiB. GPU figures are 0 on the CPU."""

    frame: int
    rss: float
    results: float  # run-length codes, boxes, labels and scores of all frames so far
    gpu_allocated: float
    gpu_peak: float  # since the sample before
    gpu_reserved: float
    objects: float  # per frame, since the sample before

    @property
    def rest(self) -> float:
        """Resident memory without the results, which must not grow."""
        return self.rss - self.results


class _SmoothMasks(PostProcess):
    """A post-processing whose mask basis is averaged over neighbourhoods first."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__(**settings)

    def detect(self, outputs: HeadOutputs, metas: Sequence[FrameMeta] | None) -> ChunkDetections:
        """Return detections with smooth outlines."""
        basis = F.avg_pool2d(outputs.mask_basis, _SMOOTHING, stride=1, padding=_SMOOTHING // 2)
        return super().detect(replace(outputs, mask_basis=basis), metas)


def check_masks(config: RunConfig) -> None:
    """Raise UserError for a model whose masks cannot be made smooth, because they are not made of a basis."""
    kind = config.model["postprocess"]["type"]
    if kind != PostProcess.__name__:
        raise UserError(f"masks of {kind} cannot be made smooth: take a config whose model has a PostProcess")


def smooth_masks(model: VISModel) -> None:
    """Make a model's masks have smooth outlines from now on."""
    model.postprocess = _SmoothMasks(vars(model.postprocess))


def synthetic_frames(count: int, size: Size) -> Iterator[np.ndarray]:
    """Yield frames (H, W, 3) uint8 RGB: discs that move over a slowly changing background."""
    height, width = size
    rows, columns = np.linspace(0, 6, _COARSE)[:, None], np.linspace(0, 6, _COARSE)[None]
    colours = np.random.default_rng(0).integers(0, 256, (DISCS, 3)).tolist()
    for index in range(count):
        phase = 2 * np.pi * index / _PERIOD
        ground = (127 + 60 * np.sin(rows + phase) * np.cos(columns - phase)).astype(np.uint8)
        frame = cv2.cvtColor(cv2.resize(ground, (width, height)), cv2.COLOR_GRAY2RGB)
        for disc, colour in enumerate(colours):
            angle = phase * (1 + disc % 5) + disc
            centre = (int(width * (0.5 + 0.45 * np.cos(angle))), int(height * (0.5 + 0.45 * np.sin(angle * 1.3))))
            cv2.circle(frame, centre, min(size) // _RADIUS, colour, -1)
        yield frame


def measure(predictor: VideoPredictor, frames: Iterable[np.ndarray], size: Size, every: int) -> Iterator[MemorySample]:
    """Push all frames into one stream; yield a sample after each `every` of them."""
    stream, seen, on_gpu = predictor.stream(size), 0, predictor.device.type == "cuda"
    for count, frame in enumerate(frames, start=1):
        seen += len(stream.push(frame))
        if count % every:
            continue
        if on_gpu:
            torch.cuda.synchronize(predictor.device)
        device = predictor.device
        yield MemorySample(
            frame=count,
            rss=resident_bytes() / MIB,
            results=stream.accumulator.held_bytes() / MIB,
            gpu_allocated=torch.cuda.memory_allocated(device) / MIB if on_gpu else 0.0,
            gpu_peak=torch.cuda.max_memory_allocated(device) / MIB if on_gpu else 0.0,
            gpu_reserved=torch.cuda.memory_reserved(device) / MIB if on_gpu else 0.0,
            objects=seen / every,
        )
        seen = 0
        if on_gpu:
            torch.cuda.reset_peak_memory_stats(device)


def growth(samples: Sequence[MemorySample], warm_up: int) -> dict[str, float]:
    """Return the growth of memory in per cent.

    It compares the medians of the first and the last quarter after `warm_up` frames. Medians are used because single
    samples differ by what the allocator happens to hold.
    """
    settled = [sample for sample in samples if sample.frame >= warm_up]
    quarter = max(1, len(settled) // 4)
    grown = {}
    for name in ("rest", "gpu_allocated", "gpu_peak", "gpu_reserved"):
        values = [getattr(sample, name) for sample in settled]
        first, last = (float(np.median(part or [0.0])) for part in (values[:quarter], values[-quarter:]))
        grown[name] = 100 * (last / first - 1) if first else 0.0
    return grown
