"""Detection as CUDA graphs: all work from the images to the rows and masks is one launch, not a thousand.

Launching the thousand kernels of a single frame takes longer than running them. A graph repeats one recorded sequence
in memory of its own, so each combination of original size, resized size and scale needs its own graph.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mmdet.engine.process.cuda_capture import NotCapturable, capture, rehearse
from mmdet.structures import ChunkDetections, FrameMeta

WARM_UPS = 3  # runs before the recording, in which libraries choose kernels and allocate (PyTorch's notes)
MAX_GRAPHS = 4  # each keeps the memory of a whole run of the network

Detect = Callable[[Tensor, Tensor, Sequence[FrameMeta]], ChunkDetections]
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Graph:
    graph: torch.cuda.CUDAGraph
    images: Tensor
    valid: Tensor
    found: ChunkDetections


class GraphedDetection:
    """Records `detect` for every new size and scale, and replays it afterwards.

    `detect` takes images (B, 1, 3, H, W), valid (B, 1, H, W) on the device and metas, and must neither wait for the
    device nor keep state. If it cannot be recorded, one warning is logged and it is called directly. Raises
    CaptureFailed if the recording breaks the process.
    """

    def __init__(self, detect: Detect, device: torch.device) -> None:
        self._detect, self._device = detect, device
        self._graphs: dict[tuple[object, ...], _Graph] = {}
        self._refused = False

    def __call__(self, images: Tensor, valid: Tensor, metas: Sequence[FrameMeta]) -> ChunkDetections:
        """Return what `detect` returns, for `images` and `valid` on any device. The next call overwrites the result."""
        key = (images.shape, images.dtype, *((meta.scale, meta.original_size) for meta in metas))
        if key not in self._graphs and not self._refused:
            self._record(key, images, valid, metas)
        if self._refused:
            images = images.to(self._device, non_blocking=True)
            return self._detect(images, valid.to(self._device, non_blocking=True), metas)
        recorded = self._graphs[key]
        recorded.images.copy_(images, non_blocking=True)
        recorded.valid.copy_(valid, non_blocking=True)
        recorded.graph.replay()
        return recorded.found

    def _record(self, key: tuple[object, ...], images: Tensor, valid: Tensor, metas: Sequence[FrameMeta]) -> None:
        while len(self._graphs) >= MAX_GRAPHS:
            del self._graphs[next(iter(self._graphs))]
        images, valid = images.to(self._device, copy=True), valid.to(self._device, copy=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self._device):
            self._warm_up(images, valid, metas)
            try:
                rehearse(lambda: self._detect(images, valid, metas))
                with capture(graph):
                    found = self._detect(images, valid, metas)
            except NotCapturable as reason:
                self._refused = True
                logger.warning("no CUDA graph, frames are launched kernel by kernel: %s", reason)
            else:
                self._graphs[key] = _Graph(graph=graph, images=images, valid=valid, found=found)

    def _warm_up(self, images: Tensor, valid: Tensor, metas: Sequence[FrameMeta]) -> None:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                self._detect(images, valid, metas)
        torch.cuda.current_stream().wait_stream(stream)
