"""From the head's outputs to the detections of each frame: candidates, fast NMS, masks, embeddings.

Source: MODEL.md 7.1-7.6. Knows nothing of tracks or of other frames.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mmdet.models.heads.mask_assembly import assemble_masks
from mmdet.ops.nms import fast_nms
from mmdet.ops.sampling import sample_at_centres
from mmdet.registry import POSTPROCESSORS
from mmdet.structures import FrameDetections, FrameMeta, HeadOutputs, PointGrid


@POSTPROCESSORS.register_module()
class PostProcess:
    """`max_pre_nms` candidates a level and a class, at most `max_per_image` detections a frame."""

    def __init__(
        self,
        score_threshold: float = 0.015,
        nms_iou: float = 0.5,
        max_pre_nms: int = 200,
        max_per_image: int = 10,
    ) -> None:
        self.score_threshold, self.nms_iou = score_threshold, nms_iou
        self.max_pre_nms, self.max_per_image = max_pre_nms, max_per_image

    @torch.no_grad()
    def __call__(self, outputs: HeadOutputs, metas: Sequence[FrameMeta]) -> list[FrameDetections]:
        """Return the detections of every frame, in pixels of its original image."""
        scores = outputs.cls_logits.sigmoid() * outputs.centerness_logits.sigmoid()[..., None]
        candidates = self._candidates(scores.amax(dim=-1), outputs.points)
        boxes = outputs.boxes
        return [self._frame(index, outputs, boxes, scores, candidates[index], meta) for index, meta in enumerate(metas)]

    def _candidates(self, best: Tensor, points: PointGrid) -> Tensor:
        """(B, P) best scores to the indices (B, k) of each level's best points."""
        chosen, start = [], 0
        for count in points.level_counts:
            level = best[:, start : start + count]
            chosen.append(level.topk(min(self.max_pre_nms, count), dim=1).indices + start)
            start += count
        return torch.cat(chosen, dim=1)

    def _frame(
        self, index: int, outputs: HeadOutputs, boxes: Tensor, scores: Tensor, candidates: Tensor, meta: FrameMeta
    ) -> FrameDetections:
        frame_boxes = boxes[index, candidates]
        # Two boxes without area give 0 / 0 in the NMS, which drops both: they leave before (MODEL.md 10).
        solid = (frame_boxes[:, 2] > frame_boxes[:, 0]) & (frame_boxes[:, 3] > frame_boxes[:, 1])
        candidates, frame_boxes = candidates[solid], frame_boxes[solid]
        kept, labels, kept_scores = fast_nms(
            frame_boxes,
            scores[index, candidates],
            score_threshold=self.score_threshold,
            iou_threshold=self.nms_iou,
            max_pre_nms=self.max_pre_nms,
            max_per_image=self.max_per_image,
        )
        points, frame_boxes = candidates[kept], frame_boxes[kept]
        embedding_map = outputs.embedding_map[index].float()
        coefficients = sample_at_centres(embedding_map[None], frame_boxes[None])[0]
        original_boxes = frame_boxes / meta.scale
        # The tracker looks at the rounded centre, the masks at the floored one (Q13).
        embeddings = sample_at_centres(embedding_map[None], (original_boxes * meta.scale)[None], rounding="round")[0]
        return FrameDetections(
            boxes=original_boxes,
            labels=labels,
            scores=kept_scores,
            box_sigma=outputs.box_sigma[index, points].clamp(max=1.0),
            centerness=outputs.centerness_logits[index, points].sigmoid(),
            embeddings=embeddings,
            masks=assemble_masks(outputs.mask_basis[index], coefficients, frame_boxes, meta),
        )
