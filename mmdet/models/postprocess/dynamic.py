"""From the outputs of DynamicMaskHead to the detections of each frame, each with a score for every class.

A detection is one object whatever its class: duplicates are removed across classes, first by their boxes, then by the
masks that they draw, so that objects in front of each other stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor

from mmdet.config.ranges import Amount, Count, Fraction, Range
from mmdet.models.postprocess.candidates import best_points_of_levels, in_original_pixels, of_solid_boxes
from mmdet.ops.masks.dynamic import dynamic_masks
from mmdet.ops.nms import NEVER_KEPT, batched_fast_nms
from mmdet.ops.sampling import rows_at
from mmdet.registry import POSTPROCESSORS
from mmdet.structures import ChunkDetections, FrameMeta
from mmdet.structures.chunk_detections import pack_rows
from mmdet.structures.dynamic_outputs import FEATURE_STRIDE, DynamicOutputs
from mmdet.structures.mask_sources import NetworkMasks


@POSTPROCESSORS.register_module()
class DynamicPostProcess:
    """Keeps up to `max_per_image` detections per frame.

    `score_threshold`: least score, which is the best class probability times the mask's quality ** `quality_power`
    `max_pre_nms`: candidates per level
    `box_iou`, `mask_iou`: a detection is removed if its box or its mask overlaps that of a better one more
    """

    def __init__(
        self,
        score_threshold: Annotated[float, Range(-1, 1)] = 0.05,
        box_iou: Fraction = 0.7,
        mask_iou: Fraction = 0.5,
        max_pre_nms: Count = 100,
        max_per_image: Count = 10,
        quality_power: Amount = 0.5,
    ) -> None:
        self.score_threshold, self.box_iou, self.mask_iou = score_threshold, box_iou, mask_iou
        self.max_pre_nms, self.max_per_image, self.quality_power = max_pre_nms, max_per_image, quality_power

    @torch.no_grad()
    def detect(self, outputs: DynamicOutputs, metas: Sequence[FrameMeta] | None) -> ChunkDetections:
        """Return the detections of all frames without their masks. All sizes are fixed, and the host never waits.

        Without `metas` boxes stay in input pixels, and any number of frames may be traced as one.
        """
        quality = outputs.quality_logits.sigmoid()
        class_scores = outputs.cls_logits.sigmoid() * quality[..., None] ** self.quality_power
        at, scores, filled = self._select(outputs, class_scores.amax(dim=-1))
        by_class = rows_at(class_scores, at)
        boxes = rows_at(outputs.boxes, at)
        rows = pack_rows(
            filled=filled,
            boxes=in_original_pixels(boxes, metas),
            labels=by_class.argmax(dim=-1),
            scores=scores,
            box_sigma=rows_at(outputs.box_sigma, at).clamp(max=1.0),
            centerness=quality.gather(1, at),
            embeddings=rows_at(outputs.embeddings, at),
            class_scores=by_class,
        )
        return ChunkDetections(
            rows=rows,
            mask_source=NetworkMasks(
                weights=rows_at(outputs.mask_weights, at),
                features=outputs.mask_features,
                places=torch.cat((outputs.points.xy[at], outputs.reach[at][..., None]), dim=2),
            ),
            num_class_scores=int(by_class.shape[2]),
        )

    def _select(self, outputs: DynamicOutputs, best: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return points, scores and whether each slot is filled, (B, N) each, from the points' best scores (B, P)."""
        candidates = best_points_of_levels(best, outputs.points, self.max_pre_nms)
        boxes = rows_at(outputs.boxes, candidates)
        kept, _, scores, filled = batched_fast_nms(
            boxes,
            of_solid_boxes(best.gather(1, candidates)[..., None], boxes),
            score_threshold=self.score_threshold,
            iou_threshold=self.box_iou,
            max_pre_nms=candidates.shape[1],
            max_per_image=2 * self.max_per_image,
        )
        at = candidates.gather(1, kept)
        filled = filled & ~self._repeats(outputs, at)  # the filled ones come first, so that only they remove others
        order = scores.where(filled, NEVER_KEPT).argsort(dim=1, descending=True, stable=True)[:, : self.max_per_image]
        return at.gather(1, order), scores.gather(1, order), filled.gather(1, order)

    def _repeats(self, outputs: DynamicOutputs, at: Tensor) -> Tensor:
        """Return (B, N) bool: whether a better detection, one earlier in the order of scores, draws nearly the same."""
        weights, places = rows_at(outputs.mask_weights, at), outputs.points.xy[at]
        drawn = dynamic_masks(outputs.mask_features.float(), weights, places, outputs.reach[at], FEATURE_STRIDE) > 0
        pixels = drawn.flatten(2).float()
        both, area = pixels @ pixels.transpose(1, 2), pixels.sum(dim=2)
        overlap = both / (area[:, :, None] + area[:, None] - both).clamp(min=1)
        return overlap.triu(diagonal=1).amax(dim=1) > self.mask_iou
