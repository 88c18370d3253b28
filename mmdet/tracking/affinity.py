"""How well each detection fits each known track: appearance, score, overlap and class in one number.

Source: MODEL.md 7.8 (after MaskTrack R-CNN's comprehensive score). Knows nothing of what is done with it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mmdet.ops.boxes import pairwise_iou
from mmdet.structures import FrameDetections
from mmdet.tracking.state import TrackState


def comprehensive_scores(
    log_probs: Tensor, scores: Tensor, iou: Tensor, same_label: Tensor, weights: tuple[float, float, float]
) -> Tensor:
    """Combine (N, 1 + M) log-probabilities with scores (N,), overlaps (N, M) and label agreement (N, M).

    Column 0 stands for "a new object": no overlap, but full label agreement (Q14). weights: score, iou, label.
    """
    score_weight, iou_weight, label_weight = weights
    iou = F.pad(iou, (1, 0), value=0.0)
    same_label = F.pad(same_label.to(iou.dtype), (1, 0), value=1.0)
    return log_probs + score_weight * scores.log()[:, None] + iou_weight * iou + label_weight * same_label


def affinity(
    detections: FrameDetections, state: TrackState, temperature: float, weights: tuple[float, float, float]
) -> Tensor:
    """Return (N, 1 + M): column 0 a new object, column 1 + j the known track j."""
    cosine = F.normalize(detections.embeddings, dim=1) @ F.normalize(state.embeddings, dim=1).T
    log_probs = F.pad(cosine / temperature, (1, 0), value=0.0).log_softmax(dim=1)
    iou = pairwise_iou(detections.boxes, state.boxes, offset=1.0)  # the legacy area convention of the release
    same_label = detections.labels[:, None] == state.labels[None, :]
    return comprehensive_scores(log_probs, detections.scores, iou, same_label, weights)


def most_recent(last_seen: Tensor, count: int) -> Tensor:
    """Return the rows of the `count` tracks seen most recently, in their own order; of equal ones the newer stay."""
    if len(last_seen) <= count:
        return torch.arange(len(last_seen), device=last_seen.device)
    order = torch.argsort(last_seen, stable=True)
    return order[-count:].sort().values
