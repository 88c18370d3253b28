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
    """Return the cross-entropy (N,), summed over the pixels of boxes (N, 4) in pixels of the basis.

    basis (E, h, w), coefficients (N, E), masks (N, h, w) bool.
    """
    logits = torch.einsum("ne,ehw->nhw", coefficients, basis.float())
    errors = F.softplus(logits) - logits * masks
    return crop_to_boxes(errors, boxes).sum(dim=(1, 2))


def image_errors(
    basis: Tensor, coefficients: Tensor, boxes: Tensor, masks: Tensor, kept: Tensor, every_slot: bool
) -> Tensor:
    """Return the errors (G, A) of the kept slots of one image; those of the others mean nothing.

    basis (E, h, w), coefficients (G, A, E), boxes (G, A, 4), masks (G, h, w) bool, kept (G, A). `every_slot` computes
    all, so that no size depends on the data, and again in the backward pass, as their logits take more memory than
    the network; otherwise the kept ones are computed, once.
    """
    owner = torch.arange(len(masks), device=masks.device).repeat_interleave(kept.shape[1])
    slots = torch.arange(kept.numel(), device=kept.device) if every_slot else kept.flatten().nonzero().squeeze(1)
    arguments = basis, coefficients.flatten(0, 1)[slots], boxes.flatten(0, 1)[slots], masks[owner[slots]]
    if every_slot:
        errors = checkpoint(cropped_errors, *arguments, use_reentrant=False, preserve_rng_state=False)
    else:
        errors = cropped_errors(*arguments)
    return errors.new_zeros(kept.numel()).index_copy(0, slots, errors).view(kept.shape)


def mask_loss(basis: Tensor, coefficients: Tensor, masks: Tensor, pairs: Pairs, kept: Tensor) -> Tensor:
    """Return (B,): mean error a pixel of the kept pairs' boxes, weighted by the quality of class and box.

    basis (B, E, h, w), coefficients (B, G, A, E), masks (B, G, h, w) bool, kept (B, G, A). Image by image. A GPU
    computes every slot: asking which are kept would make the host wait.
    """
    boxes = pairs.boxes.detach() / BASIS_STRIDE  # already clamped to the input
    quality = (aligned_iou(boxes, pairs.true_boxes / BASIS_STRIDE, offset=1.0) * pairs.class_probs).where(kept, 0)
    weights = quality / (quality.sum(dim=(1, 2), keepdim=True) + WEIGHT_EPS)  # their factor n and the mean's 1/n cancel
    images = zip(basis, coefficients, boxes, masks, kept, strict=True)
    errors = torch.stack([image_errors(*image, every_slot=kept.is_cuda) for image in images])
    return sum_where(kept, weights * errors / area(boxes).where(kept, 1))
