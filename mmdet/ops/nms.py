"""Fast NMS: within a class, a box goes when any box that scores higher overlaps it, whether that one stays or not.

Knows nothing of centerness or of masks. Source: MODEL.md 7.2.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmdet.ops.boxes import pairwise_iou


def fast_nms(
    boxes: Tensor, scores: Tensor, score_threshold: float, iou_threshold: float, max_pre_nms: int, max_per_image: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the kept (box index, label, score), each (n,), highest score first, n <= max_per_image.

    Of boxes (N, 4) with scores (N, K) each class keeps its `max_pre_nms` best, and of those every box that scores
    above `score_threshold` and whose IoU with no better one is above `iou_threshold`. One box may be kept for several
    classes. Two boxes of zero area have the IoU NaN, and the worse one is dropped.
    """
    if not scores.numel():
        none = torch.zeros(0, dtype=torch.int64, device=scores.device)
        return none, none, scores.reshape(-1)
    sorted_scores, order = scores.T.sort(dim=1, descending=True, stable=True)
    sorted_scores, order = sorted_scores[:, :max_pre_nms], order[:, :max_pre_nms]
    candidates = boxes[order]
    overlap = pairwise_iou(candidates, candidates).triu(diagonal=1).amax(dim=1)
    kept = (overlap <= iou_threshold) & (sorted_scores > score_threshold)  # false for NaN
    labels = torch.arange(len(order), device=order.device).unsqueeze(1).expand_as(order)
    best, rank = sorted_scores[kept].sort(descending=True, stable=True)
    rank = rank[:max_per_image]
    return order[kept][rank], labels[kept][rank], best[:max_per_image]
