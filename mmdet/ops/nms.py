"""Two kinds of NMS. Fast: a box is removed if any better one of its class overlaps it, even one that is itself removed.

Greedy: only boxes that are kept remove others. Source: MODEL.md 7.2 (fast), BASELINES.md 1.3 (greedy, inclusive boxes).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import nms

from mmdet.ops.boxes import pairwise_iou
from mmdet.ops.greedy_nms import batched_greedy_nms
from mmdet.ops.sampling import rows_at

NEVER_KEPT = -torch.inf  # a score below every threshold and after all other scores


def batched_fast_nms(
    boxes: Tensor, scores: Tensor, score_threshold: float, iou_threshold: float, max_pre_nms: int, max_per_image: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Do what `fast_nms` does for a batch of images, without waiting for the device.

    Takes boxes (B, N, 4) and scores (B, N, K), N and K at least 1; returns (box index, label, score, kept), each (B, n)
    with n = min(max_per_image, candidates). The kept ones come first; the others have no meaning. A box whose scores
    are all `NEVER_KEPT` has no influence.
    """
    sorted_scores, order = scores.transpose(1, 2).sort(dim=2, descending=True, stable=True)
    sorted_scores, order = sorted_scores[..., :max_pre_nms], order[..., :max_pre_nms]
    candidates = rows_at(boxes, order)  # (B, K, n, 4)
    overlap = pairwise_iou(candidates, candidates).triu(diagonal=1).amax(dim=2)
    kept = (overlap <= iou_threshold) & (sorted_scores > score_threshold)  # false for NaN
    ranked = sorted_scores.where(kept, NEVER_KEPT).flatten(1)
    best, rank = (values[:, :max_per_image] for values in ranked.sort(dim=1, descending=True, stable=True))
    index, is_kept = (values.flatten(1).gather(1, rank) for values in (order, kept))
    return index, rank // order.shape[2], best, is_kept


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
    found = batched_fast_nms(boxes[None], scores[None], score_threshold, iou_threshold, max_pre_nms, max_per_image)
    index, labels, best, kept = (values[0] for values in found)
    return index[kept], labels[kept], best[kept]


def nms_inclusive(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Return the indices of the kept boxes (N, 4), highest score first: greedy NMS of inclusive boxes.

    A kept box removes those of lower scores whose IoU with it, of sides x2 - x1 + 1, is above the threshold
    (BASELINES.md 1.3). The host waits for the device, because the number of kept boxes is a size.
    """
    # torchvision's boxes are half-open: with x2 + 1 and y2 + 1 its IoU is that of inclusive ones.
    ends = boxes + boxes.new_tensor([0.0, 0.0, 1.0, 1.0])
    kept: Tensor = nms(ends, scores, iou_threshold)
    return kept


def kept_by_nms_inclusive(boxes: Tensor, valid: Tensor, iou_threshold: float) -> Tensor:
    """Return which of boxes (..., N, 4), highest score first, `nms_inclusive` keeps: (..., N) bool, a list at a time.

    Rows that are not `valid` (..., N) are not kept and remove nothing. The host does not wait for a GPU.
    """
    lists, can_be_kept = boxes.reshape(-1, *boxes.shape[-2:]), valid.reshape(-1, valid.shape[-1])
    of_one_kind = torch.zeros_like(can_be_kept, dtype=torch.int64)
    return batched_greedy_nms(lists, of_one_kind, can_be_kept, iou_threshold).view_as(valid)
