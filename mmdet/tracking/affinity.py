"""Affinity of each detection to each known track: appearance, score, overlap and class in one number.

Source: MODEL.md 7.8 (after MaskTrack R-CNN's comprehensive score).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mmdet.tracking.state import Array, TrackState


def comprehensive_scores(
    log_probs: Array, log_scores: Array, iou: Array, same_label: Array, weights: tuple[float, float, float]
) -> Array:
    """Combine (N, 1 + M) log-probabilities with log-scores (N,), overlaps (N, M) and label agreement (N, M).

    Column 0 means "a new object": no overlap, but full label agreement (MODEL.md 10, Q14). The weights are those of
    score, IoU and label.
    """
    score_weight, iou_weight, label_weight = weights
    total = log_probs + score_weight * log_scores[:, None]
    total[:, 0] += label_weight
    known = total[:, 1:]
    known += iou_weight * iou
    known += label_weight * same_label.astype(np.float32)
    return total


def affinity(
    embeddings: Tensor,
    boxes: Array,
    labels: Array,
    scores: Tensor,
    state: TrackState,
    temperature: float,
    weights: tuple[float, float, float],
) -> Array:
    """Return (N, 1 + M): column 0 for a new object, column 1 + j for the known track j.

    Appearance is compared by inner products, which are cosines if all embeddings have length 1.

    `embeddings`, `boxes`, `labels`, `scores`: the N detections, on the CPU
    `state`: the M known tracks
    `temperature`: divides the inner products
    `weights`: of score, IoU and label, see `comprehensive_scores`
    """
    likeness = embeddings @ torch.from_numpy(state.embeddings).T / temperature
    log_probs = F.pad(likeness, (1, 0)).log_softmax(dim=1)
    same_label = labels[:, None] == state.labels
    iou = legacy_iou(boxes, state.boxes)
    return comprehensive_scores(log_probs.numpy(), scores.log().numpy(), iou, same_label, weights)


def legacy_iou(a: Array, b: Array) -> Array:
    """Return the IoU (N, M) of boxes (N, 4) and (M, 4) as `pairwise_iou` with the release's offset 1, in numpy."""
    a, b = a[:, None], b[None]
    sides = np.maximum(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]) + 1, 0)
    intersection = sides[..., 0] * sides[..., 1]
    area_a, area_b = ((boxes[..., 2] - boxes[..., 0] + 1) * (boxes[..., 3] - boxes[..., 1] + 1) for boxes in (a, b))
    overlap: Array = intersection / (area_a + area_b - intersection)
    return overlap
