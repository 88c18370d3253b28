"""The loss of the conditional neural process: likelihood of objects' boxes under their points' Gaussians, and widths.

Source: MODEL.md 6 (loss_cnp, tgt_uncert), Q6 of MODEL.md 10 is an option.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from mmdet.models.losses.pairs import Pairs
from mmdet.ops.boxes import aligned_iou

WEIGHT_EPS = 1e-9  # MODEL.md 6: added to the centerness of every component
LOG_NOTHING = -1e9  # log-density of an invalid component: finite, so that its gradient is 0 and not NaN


def mixture_nll(mean: Tensor, sigma: Tensor, weight: Tensor, valid: Tensor, target: Tensor) -> Tensor:
    """Return the negative log-likelihood (...) of targets (..., D) under mixtures of A diagonal Gaussians.

    mean and sigma (..., A, D); weight (..., A) >= 0 before normalisation; valid (..., A) marks the components that
    count. A mixture without any component gives 0.
    """
    log_weight = (weight + WEIGHT_EPS).log().masked_fill(~valid, LOG_NOTHING).log_softmax(dim=-1)
    z = (target.unsqueeze(-2) - mean) / sigma
    log_density = (-0.5 * z.square() - sigma.log() - 0.5 * math.log(2 * math.pi)).sum(dim=-1)
    log_mixture = (log_weight + log_density).masked_fill(~valid, LOG_NOTHING).logsumexp(dim=-1)
    return (-log_mixture).where(valid.any(dim=-1), 0)


@torch.no_grad()
def uncertainty_target(pairs: Pairs) -> Tensor:
    """Return the error (B, G, A) in [0, 2] of each point's class and box. Uses the legacy IoU."""
    return (1 - pairs.class_probs) + (1 - aligned_iou(pairs.boxes, pairs.true_boxes, offset=1.0))


def cnp_loss(pairs: Pairs, box_scale: Tensor, num_points: int | None) -> Tensor:
    """Return two sums over objects, each (B,): the likelihood term and the mean error of the predicted deviations.

    `box_scale` (4,) = (W, H, W, H). The likelihood is divided by `num_points`, the number of points in the image (Q6),
    or if that is None by the number of objects with pairs.
    """
    nll = mixture_nll(
        pairs.boxes / box_scale, pairs.sigma, pairs.centerness, pairs.valid, pairs.true_boxes.squeeze(2) / box_scale
    )
    target = uncertainty_target(pairs).unsqueeze(3).expand_as(pairs.sigma)
    width_error = F.smooth_l1_loss(pairs.sigma, target, reduction="none").mean(dim=3).where(pairs.valid, 0)
    mean_width_error = width_error.sum(dim=2) / pairs.valid.sum(dim=2).clamp(min=1)
    divisor = pairs.valid.any(dim=2).sum(dim=1, keepdim=True).clamp(min=1) if num_points is None else num_points
    return (nll / divisor + mean_width_error).sum(dim=1)
