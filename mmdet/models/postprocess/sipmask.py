"""From the outputs of SipMaskVISHead to the detections of each frame: candidates, fast NMS, track features, masks.

Source: BASELINES.md 2.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch

from mmdet.config.ranges import Count, Fraction, Range
from mmdet.models.postprocess import sub_masks  # noqa: F401  (how the masks are drawn)
from mmdet.models.postprocess.candidates import (
    best_points_of_levels,
    in_input_pixels,
    in_original_pixels,
    of_solid_boxes,
)
from mmdet.models.postprocess.dense import clamp_to_frames
from mmdet.ops.nms import batched_fast_nms
from mmdet.ops.sampling import rows_at, sample_at_centres
from mmdet.registry import POSTPROCESSORS
from mmdet.structures import ChunkDetections, FrameMeta
from mmdet.structures.chunk_detections import pack_rows
from mmdet.structures.dense_outputs import DenseOutputs
from mmdet.structures.mask_sources import SubMasks


@POSTPROCESSORS.register_module()
class SipMaskPostProcess:
    """Keeps up to `max_pre_nms` candidates per level and per class, and up to `max_per_image` detections per frame."""

    def __init__(
        self,
        score_threshold: Annotated[float, Range(-1, 1)] = 0.03,  # below 0 everything is kept
        nms_iou: Fraction = 0.5,
        max_pre_nms: Count = 200,
        max_per_image: Count = 10,
    ) -> None:
        self.score_threshold, self.nms_iou = score_threshold, nms_iou
        self.max_pre_nms, self.max_per_image = max_pre_nms, max_per_image

    @torch.no_grad()
    def detect(self, outputs: DenseOutputs, metas: Sequence[FrameMeta] | None) -> ChunkDetections:
        """Return the detections of all frames without their masks. All sizes are fixed, and the host never waits.

        Without `metas` boxes stay in input pixels, and any number of frames may be traced as one.
        """
        coefficients, basis, track_map = outputs.coefficients, outputs.mask_basis, outputs.track_map
        assert coefficients is not None
        assert basis is not None
        assert track_map is not None
        centerness = outputs.centerness_logits.sigmoid()
        scores = outputs.cls_logits.sigmoid() * centerness[..., None]
        candidates = best_points_of_levels(scores.amax(dim=-1), outputs.points, self.max_pre_nms)
        inside = clamp_to_frames(rows_at(outputs.boxes, candidates), outputs.points, metas)
        boxes = in_original_pixels(inside, metas)
        kept, labels, kept_scores, filled = batched_fast_nms(
            boxes,
            of_solid_boxes(rows_at(scores, candidates), boxes),
            score_threshold=self.score_threshold,
            iou_threshold=self.nms_iou,
            max_pre_nms=self.max_pre_nms,
            max_per_image=self.max_per_image,
        )
        points, boxes = candidates.gather(1, kept), rows_at(boxes, kept)
        boxes_again = in_input_pixels(boxes, metas)
        rows = pack_rows(
            filled=filled,
            boxes=boxes,
            labels=labels,
            scores=kept_scores,
            box_sigma=torch.zeros_like(boxes),  # this head predicts none
            centerness=centerness.gather(1, points),
            embeddings=sample_at_centres(track_map.float(), boxes_again),
        )
        source = SubMasks(coefficients=rows_at(coefficients, points), basis=basis, boxes=boxes_again)
        return ChunkDetections(rows=rows, mask_source=source)
