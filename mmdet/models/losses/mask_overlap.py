"""Losses of masks that are drawn by objects' own networks: dice, cross-entropy near the object, and the mask's quality.

Sources: dice loss (Milletari et al., V-Net, 2016, with squares in the divisor), CondInst (Tian et al., ECCV 2020).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mmdet.models.assigners.task_aligned import AlignedAssignment
from mmdet.ops.boxes import centres
from mmdet.ops.masks.dynamic import dynamic_masks
from mmdet.ops.sampling import rows_at
from mmdet.structures.dynamic_outputs import FEATURE_STRIDE, DynamicOutputs
from mmdet.structures.padded_truth import FrameRows

MARGIN = 0.15  # of a box's sides on each side, for the cross-entropy
MARGIN_PX = 2.0  # and so many pixels of the half masks


def mask_losses(
    outputs: DynamicOutputs, truth: FrameRows, found: AlignedAssignment, slots: int
) -> tuple[dict[str, Tensor], Tensor]:
    """Return the sums of `loss_dice`, `loss_bce`, `loss_quality` over objects, and the sum of their weights.

    Every object draws its mask from its `slots` best points, each weighted by its target.
    """
    points, weight = found.slots[..., :slots], found.targets[..., :slots]
    flat = points.flatten(1)
    logits = dynamic_masks(
        outputs.mask_features,
        rows_at(outputs.mask_weights, flat),
        outputs.points.xy[flat],
        outputs.reach[flat],
        FEATURE_STRIDE,
    )
    true = truth.half_masks[:, :, None]
    logits = F.interpolate(logits, size=true.shape[-2:], mode="bilinear", align_corners=False)
    logits = logits.unflatten(1, points.shape[1:])  # (F, G, S, H/2, W/2)
    quality = outputs.quality_logits.gather(1, flat).view(points.shape)
    errors = {
        "loss_dice": dice_errors(logits, true),
        "loss_bce": near_errors(logits, true, truth.boxes / 2),
        "loss_quality": F.binary_cross_entropy_with_logits(quality, mask_iou(logits, true), reduction="none"),
    }
    return {name: (error * weight).sum() for name, error in errors.items()}, weight.sum()


def dice_errors(logits: Tensor, true: Tensor) -> Tensor:
    """Return 1 - dice (...) of soft masks with logits (..., h, w) and bool masks that broadcast."""
    probs, target = logits.sigmoid(), true.float()
    both = (probs * target).sum(dim=(-2, -1))
    return 1 - (2 * both + 1) / (probs.square().sum(dim=(-2, -1)) + target.sum(dim=(-2, -1)) + 1)


def near_errors(logits: Tensor, true: Tensor, boxes: Tensor) -> Tensor:
    """Return the mean cross-entropy (F, G, S) of logits (F, G, S, h, w) in and around the boxes (F, G, 4)."""
    near = _near(boxes, logits.shape[-2], logits.shape[-1])[:, :, None]
    errors = F.softplus(logits) - logits * true
    return errors.where(near, 0).sum(dim=(-2, -1)) / near.sum(dim=(-2, -1)).clamp(min=1)


@torch.no_grad()
def mask_iou(logits: Tensor, true: Tensor) -> Tensor:
    """Return the IoU (...) of the masks of logits above 0 (..., h, w) with bool masks that broadcast."""
    drawn = logits > 0
    return (drawn & true).sum(dim=(-2, -1)) / (drawn | true).sum(dim=(-2, -1)).clamp(min=1)


def _near(boxes: Tensor, height: int, width: int) -> Tensor:
    """Return (F, G, h, w) bool: whether a pixel's centre is inside the box with its margin."""
    half = (boxes[..., 2:] - boxes[..., :2]) * (0.5 + MARGIN) + MARGIN_PX
    low, high = centres(boxes) - half, centres(boxes) + half
    x = torch.arange(width, device=boxes.device) + 0.5
    y = torch.arange(height, device=boxes.device) + 0.5
    across = (x >= low[..., :1]) & (x <= high[..., :1])
    down = (y >= low[..., 1:]) & (y <= high[..., 1:])
    return down[..., :, None] & across[..., None, :]
