"""The network and its post-processing on a device: from frames to detections of fixed sizes, without waiting for them.

Precision, CUDA graphs and torch.compile are decided here. What the network keeps of a video is passed in and returned.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from mmdet.engine.inference.cuda_graphs import GraphedDetection
from mmdet.engine.process.devices import place_model
from mmdet.engine.process.precision import float32_products
from mmdet.models.detectors.vis_model import VISModel
from mmdet.models.necks import TemporalContext
from mmdet.models.postprocess.masks import draw_all, draw_masks
from mmdet.structures import ChunkDetections, ClipBatch, FrameMeta

logger = logging.getLogger(__name__)
Found = tuple[ChunkDetections, TemporalContext | None]


class Detector:
    """A model in evaluation mode.

    `amp_dtype` None is full precision; the other arguments are those of `VideoPredictor`. In full precision float32
    products never use TF32, whatever the process is set to; in a reduced type they may.
    """

    def __init__(
        self, model: VISModel, device: torch.device, amp_dtype: torch.dtype | None, cuda_graph: bool, compile: bool
    ) -> None:
        self.device, self.amp_dtype = device, amp_dtype
        self.model = place_model(model, device).eval()
        network = self.model.continue_video
        self._network = torch.compile(network, dynamic=False) if compile else network
        self._graphs = self._make_graphs() if cuda_graph else None

    @torch.inference_mode()
    def detect(self, batch: ClipBatch, context: TemporalContext | None) -> Found:
        """Queue the detection of the next frames of a video (T = 1).

        Return it and the context for the frames after them.
        """
        images = batch.images.to(self.device, non_blocking=True)
        valid = batch.valid.to(self.device, non_blocking=True)
        with self._precision():
            return self._detect(images, valid, _metas(batch), context)

    @torch.inference_mode()
    def detect_live(self, batch: ClipBatch, context: TemporalContext | None) -> Found:
        """Do what `detect` does, as a CUDA graph if one was asked for. The next call may then overwrite the result."""
        if self._graphs is None:
            return self.detect(batch, context)
        with self._precision():
            return self._graphs(batch.images, batch.valid, _metas(batch)), context

    @torch.no_grad()
    def draw(self, found: ChunkDetections, rows: Sequence[Sequence[int]], meta: FrameMeta) -> Tensor:
        """Queue the drawing of the masks of the given slots of each frame; see `draw_masks`."""
        with self._precision():
            return draw_masks(found, rows, meta)

    def _precision(self) -> AbstractContextManager[None]:
        return float32_products(exact=self.amp_dtype is None)

    def _detect(
        self, images: Tensor, valid: Tensor, metas: Sequence[FrameMeta], context: TemporalContext | None
    ) -> Found:
        images = images.contiguous()  # a stream's frames have the colours innermost; the device reorders them faster
        with torch.autocast(self.device.type, dtype=self.amp_dtype, enabled=self.amp_dtype is not None):
            outputs, context = self._network(images, valid, context)
        return self.model.postprocess.detect(outputs, metas), context

    def _make_graphs(self) -> GraphedDetection | None:
        if self.device.type != "cuda" or self.model.temporal_neck is not None:
            reason = "the device is no GPU" if self.device.type != "cuda" else "the model looks at earlier frames"
            logger.warning("no CUDA graph, frames are launched kernel by kernel: %s", reason)
            return None
        return GraphedDetection(self._detect_and_draw, self.device)

    def _detect_and_draw(self, images: Tensor, valid: Tensor, metas: Sequence[FrameMeta]) -> ChunkDetections:
        """Also draw the masks of all slots: inside a graph that is faster than a launch for the needed ones."""
        found, _ = self._detect(images, valid, metas, None)
        return draw_all(found, metas[0])


def _metas(batch: ClipBatch) -> list[FrameMeta]:
    return [clip[0] for clip in batch.metas]
