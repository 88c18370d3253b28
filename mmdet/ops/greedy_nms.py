"""Greedy NMS for a batch, in tensors of fixed sizes: a kept box removes later ones that overlap it.

torchvision's `nms` returns as many rows as it keeps, for which the host has to wait, and its boxes are half-open.
Source: BASELINES.md 1.3.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmdet.ops.boxes import pairwise_iou

MOST_ROUNDS = 64  # on a GPU, where nobody may look whether one more round would change something


def batched_greedy_nms(boxes: Tensor, labels: Tensor, valid: Tensor, iou_threshold: float) -> Tensor:
    """Return (B, N) bool: which boxes are kept. Boxes (B, N, 4), inclusive, are sorted by score, the best first.

    A kept box removes later ones of its label (B, N) whose IoU is larger than the threshold. Boxes that are not `valid`
    are neither kept nor remove others.

    Each round finds what remains if the kept boxes of the round before remove others; round n is right for all boxes
    whose fate hangs on a chain of at most n boxes. On a CPU it ends when nothing changes.
    """
    later = torch.ones(boxes.shape[1], boxes.shape[1], dtype=torch.bool, device=boxes.device).triu(diagonal=1)
    overlap = (pairwise_iou(boxes, boxes, offset=1) > iou_threshold) & later
    removes = (overlap & (labels.unsqueeze(2) == labels.unsqueeze(1))).float()
    kept = valid
    for _ in range(boxes.shape[1] if not boxes.is_cuda else min(MOST_ROUNDS, boxes.shape[1])):
        before, kept = kept, valid & ~(kept.float().unsqueeze(1) @ removes).squeeze(1).bool()
        if not boxes.is_cuda and torch.equal(before, kept):
            break
    return kept
