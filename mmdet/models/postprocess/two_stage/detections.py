"""From the outputs of a two-stage network to the detections of each frame, by its box, track and mask heads.

Source: BASELINES.md 3.7. Overlaps are those of boxes in original pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor

from mmdet.config.ranges import Count, Fraction, Range
from mmdet.models.heads.two_stage.roi_heads import BOX_STDS, RoIHeads
from mmdet.models.postprocess.candidates import in_input_pixels, in_original_pixels
from mmdet.ops.box_coding import decode_boxes
from mmdet.ops.nms import NEVER_KEPT, kept_by_nms_inclusive
from mmdet.ops.sampling import rows_at
from mmdet.registry import POSTPROCESSORS
from mmdet.structures import ChunkDetections, FrameMeta
from mmdet.structures.chunk_detections import pack_rows
from mmdet.structures.mask_sources import PastedMasks
from mmdet.structures.two_stage_outputs import TwoStageOutputs


@POSTPROCESSORS.register_module()
class TwoStagePostProcess:
    """Keeps up to `max_per_image` detections per frame.

    `score_threshold`: least probability of a class; `nms_iou`: a box is removed if a better one of its class overlaps
    it more. The model gives its `heads`, which the config does not name.
    """

    def __init__(
        self,
        heads: RoIHeads,
        score_threshold: Annotated[float, Range(-1, 1)] = 0.05,
        nms_iou: Fraction = 0.5,
        max_per_image: Count = 10,
    ) -> None:
        self.heads = heads
        self.score_threshold, self.nms_iou, self.max_per_image = score_threshold, nms_iou, max_per_image

    @torch.no_grad()
    def detect(self, outputs: TwoStageOutputs, metas: Sequence[FrameMeta] | None) -> ChunkDetections:
        """Return the detections of all frames without their masks. All sizes are fixed, and the host never waits.

        Without `metas` boxes stay in input pixels.
        """
        dtype = outputs.features[0].dtype
        with torch.autocast(outputs.features[0].device.type, dtype, enabled=dtype != torch.float32):
            return self._detect(outputs, metas)

    def _detect(self, outputs: TwoStageOutputs, metas: Sequence[FrameMeta] | None) -> ChunkDetections:
        scores, boxes = self.class_boxes(outputs)
        boxes = in_original_pixels(boxes, metas)
        at, labels, best, filled = self._select(scores, boxes)
        boxes = rows_at(boxes.flatten(1, 2), at) * filled[..., None]
        again = in_input_pixels(boxes, metas)
        embeddings = self.heads.track_head(self.heads.read(outputs.features, again))
        logits = self.heads.masks(outputs.features, again)
        own = (labels + 1)[..., None, None, None].expand(-1, -1, 1, *logits.shape[-2:])
        rows = pack_rows(
            filled=filled,
            boxes=boxes,
            labels=labels,
            scores=best,
            box_sigma=torch.zeros_like(boxes),
            centerness=torch.ones_like(best),
            embeddings=embeddings,
        )
        # the release's masks are placed by boxes that went to input pixels and back (BASELINES.md 3.7)
        placed = in_original_pixels(again, metas)
        return ChunkDetections(
            rows=rows, mask_source=PastedMasks(logits=logits.gather(2, own)[:, :, 0].float(), boxes=placed)
        )

    def class_boxes(self, outputs: TwoStageOutputs) -> tuple[Tensor, Tensor]:
        """Return the probabilities (B, K, R) and boxes (B, K, R, 4), input pixels, of every class and proposal."""
        proposals = outputs.proposals
        logits, deltas = self.heads.box_head(self.heads.read(outputs.features, proposals.boxes))
        scores = logits.float().softmax(dim=-1)[..., 1:].where(proposals.valid[..., None], NEVER_KEPT)
        boxes = decode_boxes(proposals.boxes[:, :, None], deltas[:, :, 1:].float(), BOX_STDS, outputs.image_sizes)
        return scores.transpose(1, 2), boxes.transpose(1, 2)

    def _select(self, scores: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return index (of K * R), label, score and whether it is filled, (B, N) each, the filled slots first.

        With more than N detections the best are kept, highest score first; fewer stay in the order of classes, and
        within a class highest score first.
        """
        ranked, order = scores.sort(dim=2, descending=True, stable=True)
        candidates = boxes.gather(2, order[..., None].expand(-1, -1, -1, 4))
        kept = kept_by_nms_inclusive(candidates, ranked > self.score_threshold, self.nms_iou)
        ranked, kept = ranked.flatten(1).where(kept.flatten(1), NEVER_KEPT), kept.flatten(1)
        found, places = ranked.sort(dim=1, descending=True, stable=True)
        found, places = found[:, : self.max_per_image], places[:, : self.max_per_image]
        too_many = kept.sum(dim=1, keepdim=True) > self.max_per_image
        filled = found > NEVER_KEPT
        last = ranked.shape[1]
        by_class = places.where(filled, last).argsort(dim=1, stable=True)
        chosen = torch.where(too_many, torch.arange(places.shape[1], device=places.device), by_class)
        places, found, filled = places.gather(1, chosen), found.gather(1, chosen), filled.gather(1, chosen)
        proposals = scores.shape[2]
        labels = places // proposals
        return labels * proposals + order.flatten(1).gather(1, places), labels, found.where(filled, 0.0), filled
