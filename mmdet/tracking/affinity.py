"""How well each detection fits each known track: appearance, score, overlap and class in one number.

Source: MODEL.md 7.8 (after MaskTrack R-CNN's comprehensive score). Knows nothing of what is done with it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmdet.ops.boxes import pairwise_iou
from mmdet.structures import FrameObjects
from mmdet.tracking.state import TrackState


def comprehensive_scores(
    log_probs: Tensor, scores: Tensor, iou: Tensor, same_label: Tensor, weights: tuple[float, float, float]
) -> Tensor:
    """Combine (N, 1 + M) log-probabilities with scores (N,), overlaps (N, M) and label agreement (N, M).

    Column 0 stands for "a new object": no overlap, but full label agreement (Q14). weights: score, iou, label.
    """
    score_weight, iou_weight, label_weight = weights
    total = log_probs + score_weight * scores.log()[:, None]
    total[:, 0] += label_weight
    total[:, 1:] += iou_weight * iou
    total[:, 1:] += label_weight * same_label
    return total


def affinity(
    objects: FrameObjects, state: TrackState, temperature: float, weights: tuple[float, float, float]
) -> Tensor:
    """Return (N, 1 + M): column 0 a new object, column 1 + j the known track j; all embeddings are of length 1."""
    likeness = objects.embeddings @ state.embeddings.T / temperature
    log_probs = torch.cat([likeness.new_zeros(len(objects), 1), likeness], dim=1).log_softmax(dim=1)
    iou = pairwise_iou(objects.boxes, state.boxes, offset=1.0)  # the legacy area convention of the release
    same_label = objects.labels[:, None] == state.labels[None, :]
    return comprehensive_scores(log_probs, objects.scores, iou, same_label, weights)
