"""The mask loss: cross-entropy of coefficients times basis inside the predicted box, at half resolution.

Source: MODEL.md 6 (loss_seg). Knows nothing of classes but their probability.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from mmdet.models.heads.mask_assembly import BASIS_STRIDE, crop_to_boxes
from mmdet.models.losses.pairs import Pairs, sum_where
from mmdet.ops.boxes import aligned_iou, area

MIN_SIDE_HALF_PX = 4  # MODEL.md 6: smaller predicted boxes learn neither mask nor match
WEIGHT_EPS = 1e-4  # MODEL.md 6, weight_k


def large_pairs(pairs: Pairs) -> Tensor:
    """Return (B, G, A) bool: the pairs whose predicted box is large enough to learn mask and match."""
    sides = (pairs.boxes[..., 2:] - pairs.boxes[..., :2]).detach() / BASIS_STRIDE
    return pairs.valid & (sides > MIN_SIDE_HALF_PX).all(dim=-1)


def cropped_errors(basis: Tensor, coefficients: Tensor, boxes: Tensor, masks: Tensor) -> Tensor:
    """Return the cross-entropy (G, A), summed over the pixels of boxes (G, A, 4) in pixels of the basis.

    basis (E, h, w), coefficients (G, A, E), masks (G, h, w) bool.
    """
    logits = torch.einsum("gae,ehw->gahw", coefficients, basis.float())
    errors = F.softplus(logits) - logits * masks.unsqueeze(1)
    return crop_to_boxes(errors.flatten(0, 1), boxes.flatten(0, 1)).sum(dim=(1, 2)).view(boxes.shape[:2])


def mask_loss(basis: Tensor, coefficients: Tensor, masks: Tensor, pairs: Pairs, kept: Tensor) -> Tensor:
    """Return (B,): mean error a pixel of the kept pairs' boxes, weighted by the quality of class and box.

    basis (B, E, h, w), coefficients (B, G, A, E), masks (B, G, h, w) bool, kept (B, G, A). Image by image, and computed
    again in the backward pass, because logits of all slots at once would take more memory than the network.
    """
    boxes = pairs.boxes.detach() / BASIS_STRIDE  # already clamped to the input
    quality = (aligned_iou(boxes, pairs.true_boxes / BASIS_STRIDE, offset=1.0) * pairs.class_probs).where(kept, 0)
    weights = quality / (quality.sum(dim=(1, 2), keepdim=True) + WEIGHT_EPS)  # their factor n and the mean's 1/n cancel
    errors = torch.stack(
        [
            checkpoint(cropped_errors, *image, use_reentrant=False, preserve_rng_state=False)
            for image in zip(basis, coefficients, boxes, masks, strict=True)
        ]
    )
    return sum_where(kept, weights * errors / area(boxes).where(kept, 1))
