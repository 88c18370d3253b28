"""From the head's outputs to the detections of each frame: candidates, fast NMS, embeddings and mask coefficients.

Source: MODEL.md 7.1-7.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch

from mmdet.config.ranges import Count, Fraction, Range
from mmdet.models.postprocess.candidates import (
    best_points_of_levels,
    in_input_pixels,
    in_original_pixels,
    of_solid_boxes,
)
from mmdet.ops.nms import batched_fast_nms
from mmdet.ops.sampling import rows_at, sample_at_centres
from mmdet.registry import POSTPROCESSORS
from mmdet.structures import ChunkDetections, FrameMeta, HeadOutputs
from mmdet.structures.chunk_detections import pack_rows
from mmdet.structures.mask_sources import BasisMasks


@POSTPROCESSORS.register_module()
class PostProcess:
    """Keeps up to `max_pre_nms` candidates per level and per class, and up to `max_per_image` detections per frame."""

    def __init__(
        self,
        score_threshold: Annotated[float, Range(-1, 1)] = 0.015,  # below 0 everything is kept
        nms_iou: Fraction = 0.5,
        max_pre_nms: Count = 200,
        max_per_image: Count = 10,
    ) -> None:
        self.score_threshold, self.nms_iou = score_threshold, nms_iou
        self.max_pre_nms, self.max_per_image = max_pre_nms, max_per_image

    @torch.no_grad()
    def detect(self, outputs: HeadOutputs, metas: Sequence[FrameMeta] | None) -> ChunkDetections:
        """Return the detections of all frames without their masks. All sizes are fixed, and the host never waits.

        Without `metas` boxes stay in input pixels, and any number of frames may be traced as one.
        """
        scores = outputs.cls_logits.sigmoid() * outputs.centerness_logits.sigmoid()[..., None]
        candidates = best_points_of_levels(scores.amax(dim=-1), outputs.points, self.max_pre_nms)
        boxes = rows_at(outputs.boxes, candidates)
        kept, labels, kept_scores, filled = batched_fast_nms(
            boxes,
            of_solid_boxes(rows_at(scores, candidates), boxes),
            score_threshold=self.score_threshold,
            iou_threshold=self.nms_iou,
            max_pre_nms=self.max_pre_nms,
            max_per_image=self.max_per_image,
        )
        points, boxes = candidates.gather(1, kept), rows_at(boxes, kept)
        original_boxes = in_original_pixels(boxes, metas)
        boxes_again = in_input_pixels(original_boxes, metas)
        embedding_map = outputs.embedding_map.float()
        rows = pack_rows(
            filled=filled,
            boxes=original_boxes,
            labels=labels,
            scores=kept_scores,
            box_sigma=rows_at(outputs.box_sigma, points).clamp(max=1.0),
            centerness=outputs.centerness_logits.gather(1, points).sigmoid(),
            # Embeddings are read at the rounded centre, mask coefficients at the floored one (MODEL.md 10, Q13).
            embeddings=sample_at_centres(embedding_map, boxes_again, rounding="round"),
        )
        return ChunkDetections(
            rows=rows,
            mask_source=BasisMasks(
                coefficients=sample_at_centres(embedding_map, boxes), basis=outputs.mask_basis, boxes=boxes
            ),
        )
