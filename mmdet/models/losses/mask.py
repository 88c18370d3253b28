"""The mask loss: cross-entropy of coefficients times basis inside the predicted box, at half resolution.

Source: MODEL.md 6 (loss_seg).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from mmdet.models.losses.pairs import Pairs, sum_where
from mmdet.models.postprocess.masks import crop_to_boxes
from mmdet.ops.boxes import aligned_iou, area
from mmdet.structures.head_outputs import BASIS_STRIDE

MIN_SIDE_HALF_PX = 4  # MODEL.md 6: smaller predicted boxes are left out of the mask and match losses
WEIGHT_EPS = 1e-4  # MODEL.md 6, weight_k
PIXELS_AT_ONCE = 2**24  # logits on a GPU: 64 MiB, several times that in the backward pass


def large_pairs(pairs: Pairs) -> Tensor:
    """Return (B, G, A) bool: the pairs whose predicted box is large enough to learn mask and match."""
    sides = (pairs.boxes[..., 2:] - pairs.boxes[..., :2]).detach() / BASIS_STRIDE
    return pairs.valid & (sides > MIN_SIDE_HALF_PX).all(dim=-1)


def cropped_errors(basis: Tensor, coefficients: Tensor, boxes: Tensor, masks: Tensor) -> Tensor:
    """Return the cross-entropy (B, N), summed over the pixels of boxes (B, N, 4) in pixels of the basis.

    basis (B, E, h, w), coefficients (B, N, E), masks (B, N, h, w) bool.
    """
    logits = torch.einsum("bne,behw->bnhw", coefficients, basis.float())
    errors = F.softplus(logits) - logits * masks
    return crop_to_boxes(errors.flatten(0, 1), boxes.flatten(0, 1)).sum(dim=(1, 2)).view(boxes.shape[:2])


class _CroppedErrors(torch.autograd.Function):
    """`cropped_errors` of a few images at a time; their logits are computed again in the backward pass.

    Keeping the logits would take more memory than the network. The derivative of the cross-entropy is the sigmoid minus
    the mask.
    """

    @staticmethod
    def forward(ctx: Any, images: int, basis: Tensor, coefficients: Tensor, boxes: Tensor, masks: Tensor) -> Tensor:
        ctx.images = images
        ctx.save_for_backward(basis, coefficients, boxes, masks)
        parts = zip(*(tensor.split(images) for tensor in (basis, coefficients, boxes, masks)), strict=True)
        return torch.cat([cropped_errors(*part) for part in parts])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, Tensor, None, None]:
        basis_grads, coefficient_grads = [], []
        saved = (*ctx.saved_tensors, grad)
        for basis, coefficients, boxes, masks, upstream in zip(*(t.split(ctx.images) for t in saved), strict=True):
            basis = basis.float()
            logits = torch.einsum("bne,behw->bnhw", coefficients, basis)
            slopes = (logits.sigmoid() - masks.float()) * upstream[..., None, None]
            slopes = crop_to_boxes(slopes.flatten(0, 1), boxes.flatten(0, 1)).view(logits.shape)
            basis_grads.append(torch.einsum("bnhw,bne->behw", slopes, coefficients).to(ctx.saved_tensors[0].dtype))
            coefficient_grads.append(torch.einsum("bnhw,behw->bne", slopes, basis))
        return None, torch.cat(basis_grads), torch.cat(coefficient_grads), None, None


def errors_of_all(basis: Tensor, coefficients: Tensor, boxes: Tensor, masks: Tensor) -> Tensor:
    """Return the errors (B, G, A) of all slots. No size depends on the data, so the host does not wait for the GPU.

    basis (B, E, h, w), coefficients (B, G, A, E), boxes (B, G, A, 4), masks (B, G, h, w). Works on as many images at
    once as PIXELS_AT_ONCE allows.
    """
    slots = coefficients.shape[1] * coefficients.shape[2]
    images = max(1, PIXELS_AT_ONCE // (slots * masks.shape[2] * masks.shape[3]))
    of_slots = masks.repeat_interleave(coefficients.shape[2], dim=1)
    arguments = basis, coefficients.flatten(1, 2), boxes.flatten(1, 2), of_slots
    errors: Tensor = _CroppedErrors.apply(images, *arguments)
    return errors.view(coefficients.shape[:3])


def errors_of_kept(basis: Tensor, coefficients: Tensor, boxes: Tensor, masks: Tensor, kept: Tensor) -> Tensor:
    """Return what `errors_of_all` does for the kept slots (B, G, A) and 0 for the others, which are not computed."""
    errors = []
    for image, chosen in enumerate(kept):
        owner, _ = rows = chosen.nonzero(as_tuple=True)
        parts = basis[image], coefficients[image][rows], boxes[image][rows], masks[image][owner]
        found = cropped_errors(*(part.unsqueeze(0) for part in parts))[0]
        errors.append(found.new_zeros(chosen.shape).index_put(rows, found))
    return torch.stack(errors)


def mask_loss(basis: Tensor, coefficients: Tensor, masks: Tensor, pairs: Pairs, kept: Tensor) -> Tensor:
    """Return (B,): the mean error per pixel of the kept pairs' boxes, weighted by the quality of class and box.

    basis (B, E, h, w), coefficients (B, G, A, E), masks (B, G, h, w) bool, kept (B, G, A). A GPU computes every slot,
    because asking which are kept would make the host wait.
    """
    boxes = pairs.boxes.detach() / BASIS_STRIDE  # already clamped to the input
    quality = (aligned_iou(boxes, pairs.true_boxes / BASIS_STRIDE, offset=1.0) * pairs.class_probs).where(kept, 0)
    weights = quality / (quality.sum(dim=(1, 2), keepdim=True) + WEIGHT_EPS)  # their factor n and the mean's 1/n cancel
    if basis.is_cuda:
        errors = errors_of_all(basis, coefficients, boxes, masks)
    else:
        errors = errors_of_kept(basis, coefficients, boxes, masks, kept)
    return sum_where(kept, weights * errors / area(boxes).where(kept, 1))
