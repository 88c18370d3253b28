"""From the outputs of FCOS to the detections of each frame: candidates, then greedy NMS within each class.

Source: BASELINES.md 1.3 and 4. Detections have no embeddings, so a tracker follows them by overlap, class and score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor

from mmdet.config.ranges import Count, Fraction, Range
from mmdet.models.postprocess.candidates import in_original_pixels
from mmdet.ops.greedy_nms import batched_greedy_nms
from mmdet.ops.nms import NEVER_KEPT
from mmdet.ops.sampling import rows_at
from mmdet.registry import POSTPROCESSORS
from mmdet.structures import ChunkDetections, FrameMeta, PointGrid, Size
from mmdet.structures.chunk_detections import pack_rows
from mmdet.structures.dense_outputs import DenseOutputs
from mmdet.structures.mask_sources import NoMasks


@POSTPROCESSORS.register_module()
class DensePostProcess:
    """Keeps up to `max_per_image` detections per frame.

    `score_threshold`: a candidate's class probability must be larger; its score is that times its centerness
    `nms_iou`: a better detection of the class removes those that overlap it more
    `max_pre_nms`: candidates per level
    `max_pairs`: of all candidates and classes, so many with the best scores take part in the NMS. The release has no
        such limit; it matters only where these leave fewer detections than `max_per_image`
    """

    def __init__(
        self,
        score_threshold: Annotated[float, Range(-1, 1)] = 0.05,
        nms_iou: Fraction = 0.5,
        max_pre_nms: Count = 1000,
        max_per_image: Count = 100,
        max_pairs: Count = 2000,
    ) -> None:
        self.score_threshold, self.nms_iou, self.max_pre_nms = score_threshold, nms_iou, max_pre_nms
        self.max_per_image, self.max_pairs = max_per_image, max_pairs

    @torch.no_grad()
    def detect(self, outputs: DenseOutputs, metas: Sequence[FrameMeta] | None) -> ChunkDetections:
        """Return the detections of all frames. All sizes are fixed, and the host never waits for a GPU.

        If there are more than `max_per_image` they are sorted by score, otherwise by class, and those of a class by
        level and point. Without `metas` boxes stay in input pixels.
        """
        probs, centerness = outputs.cls_logits.sigmoid(), outputs.centerness_logits.sigmoid()
        scores = probs * centerness[..., None]
        at = ranked_points_of_levels(scores.amax(dim=-1), outputs.points, self.max_pre_nms)
        boxes = in_original_pixels(clamp_to_frames(rows_at(outputs.boxes, at), outputs.points, metas), metas)
        scores = rows_at(scores, at).where(rows_at(probs, at) > self.score_threshold, NEVER_KEPT)
        rank, labels, best, filled = self._select(boxes, scores)
        boxes = rows_at(boxes, rank)
        rows = pack_rows(
            filled=filled,
            boxes=boxes,
            labels=labels,
            scores=best,
            box_sigma=torch.zeros_like(boxes),
            centerness=centerness.gather(1, at.gather(1, rank)),
            embeddings=boxes[..., :0],
        )
        return ChunkDetections(rows=rows, mask_source=NoMasks(boxes=boxes))

    def _select(self, boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return candidates, labels, scores and whether each slot is filled, (B, n) each, from scores (B, N, K)."""
        classes, flat = scores.shape[2], scores.flatten(1)
        best, pairs = flat.sort(dim=1, descending=True, stable=True)
        best, pairs = best[:, : self.max_pairs], pairs[:, : self.max_pairs]
        candidates, labels = pairs // classes, pairs % classes
        kept = batched_greedy_nms(rows_at(boxes, candidates), labels, best > NEVER_KEPT, self.nms_iou)
        too_many = kept.sum(dim=1, keepdim=True) > self.max_per_image
        by_score = torch.arange(pairs.shape[1], device=pairs.device).expand_as(pairs)
        order = torch.where(too_many, by_score, labels * boxes.shape[1] + candidates)
        order = order.where(kept, flat.shape[1]).argsort(dim=1, stable=True)[:, : self.max_per_image]
        rank, label, score, filled = (part.gather(1, order) for part in (candidates, labels, best, kept))
        return rank, label, score.where(filled, 0), filled


def ranked_points_of_levels(scores: Tensor, points: PointGrid, most: int) -> Tensor:
    """Return the indices (B, k) of each level's points: all in their order, or the `most` with the highest scores.

    The highest come first where there are more than `most`.
    """
    chosen, start = [], 0
    for count in points.level_counts:
        level = scores[:, start : start + count]
        own = level.topk(most, dim=1).indices if count > most else _all_of(level)
        chosen.append(own + start)
        start += count
    return torch.cat(chosen, dim=1)


def _all_of(level: Tensor) -> Tensor:
    return torch.arange(level.shape[1], device=level.device).expand(len(level), -1)


def clamp_to_frames(boxes: Tensor, points: PointGrid, metas: Sequence[FrameMeta] | None) -> Tensor:
    """Return boxes (B, N, 4) of input pixels, each side clamped to the frame's last pixel, or the padded input's."""
    if metas is None:
        return _clamped(boxes, points.image_size)
    return torch.stack([_clamped(own, meta.input_size) for own, meta in zip(boxes, metas, strict=True)])


def _clamped(boxes: Tensor, size: Size) -> Tensor:
    height, width = size
    x, y = boxes[..., 0::2].clamp(0, width - 1), boxes[..., 1::2].clamp(0, height - 1)
    return torch.stack((x[..., 0], y[..., 0], x[..., 1], y[..., 1]), dim=-1)
