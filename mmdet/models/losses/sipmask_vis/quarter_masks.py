"""The mask loss of SipMask: cross-entropy of masks whose quarters have coefficients of their own, at half resolution.

Source: BASELINES.md 2.3 (loss_mask) and 2.4. The logits of a quarter take memory only while they are computed, and are
computed again in the backward pass: keeping those of all slots would take more memory than the network.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from mmdet.ops.masks.crop_split import OUTSIDE, QUARTERS, quarters_of

PIXELS_AT_ONCE = 2**24  # logits of one quarter: 64 MiB, several times that while they are used
LEAST_SLOPE = 1e-12  # torch's cross-entropy of probabilities divides by p * (1 - p), but by no less


def _probabilities(basis: Tensor, coefficients: Tensor, quarter: Tensor) -> Tensor:
    """Return the masks (N, h, w) of basis (E, h, w) and coefficients (N, 4, E); without meaning outside of boxes."""
    logits = basis.new_zeros(quarter.shape)
    for number in range(QUARTERS):
        own = torch.einsum("ne,ehw->nhw", coefficients[:, number], basis)
        logits = torch.where(quarter == number, own, logits)
    return logits.sigmoid()


def quarter_errors(basis: Tensor, coefficients: Tensor, boxes: Tensor, masks: Tensor) -> Tensor:
    """Return the cross-entropy (N,), summed over the pixels of boxes (N, 4) in pixels of the basis.

    basis (E, h, w), coefficients (N, 4, E), masks (N, h, w) bool.
    """
    quarter = quarters_of(boxes, basis.shape[1], basis.shape[2])
    probabilities = _probabilities(basis.float(), coefficients, quarter)
    errors = F.binary_cross_entropy(probabilities, masks.to(probabilities.dtype), reduction="none")
    return errors.where(quarter != OUTSIDE, 0).sum(dim=(1, 2))


class _QuarterErrors(torch.autograd.Function):
    """`quarter_errors` of one image, `count` slots at a time; `owner` (N,) is the row of `masks` of each slot."""

    @staticmethod
    def forward(
        ctx: Any, count: int, basis: Tensor, coefficients: Tensor, boxes: Tensor, owner: Tensor, masks: Tensor
    ) -> Tensor:
        ctx.count = count
        ctx.save_for_backward(basis, coefficients, boxes, owner, masks)
        parts = zip(*(rows.split(count) for rows in (coefficients, boxes, owner)), strict=True)
        return torch.cat([quarter_errors(basis, own, box, masks[rows]) for own, box, rows in parts])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, Tensor, None, None, None]:
        basis, *rows, masks = ctx.saved_tensors
        half_done, basis_grad, coefficient_grads = basis.float(), torch.zeros_like(basis, dtype=torch.float32), []
        for own, boxes, owner, upstream in zip(*(r.split(ctx.count) for r in (*rows, grad)), strict=True):
            quarter = quarters_of(boxes, basis.shape[1], basis.shape[2])
            found = _probabilities(half_done, own, quarter)
            steep = found * (1 - found)
            slopes = (found - masks[owner].to(found.dtype)) * (steep / steep.clamp(min=LEAST_SLOPE))
            slopes = slopes * upstream[:, None, None]
            by_quarter = []
            for number in range(QUARTERS):
                part = slopes.where(quarter == number, 0)
                basis_grad += torch.einsum("nhw,ne->ehw", part, own[:, number])
                by_quarter.append(torch.einsum("nhw,ehw->ne", part, half_done))
            coefficient_grads.append(torch.stack(by_quarter, dim=1))
        return None, basis_grad.to(basis.dtype), torch.cat(coefficient_grads), None, None, None


def errors_of_slots(basis: Tensor, coefficients: Tensor, boxes: Tensor, owner: Tensor, masks: Tensor) -> Tensor:
    """Return the errors (B, S) of all slots. No size depends on the data, so the host does not wait for the GPU.

    basis (B, E, h, w), coefficients (B, S, 4, E), boxes (B, S, 4) in pixels of the basis, owner (B, S) rows of masks
    (B, G, h, w) bool. Works on as many slots at once as PIXELS_AT_ONCE allows.
    """
    count = max(1, PIXELS_AT_ONCE // (masks.shape[2] * masks.shape[3]))
    images = zip(basis, coefficients, boxes, owner, masks, strict=True)
    return torch.stack([_QuarterErrors.apply(count, *image) for image in images])


def errors_of_kept(
    basis: Tensor, coefficients: Tensor, boxes: Tensor, owner: Tensor, masks: Tensor, kept: Tensor
) -> Tensor:
    """Return what `errors_of_slots` does for the kept slots (B, S) and 0 for the others, which are not computed."""
    errors = []
    for image, chosen in enumerate(kept):
        (rows,) = chosen.nonzero(as_tuple=True)
        own = basis[image], coefficients[image][rows], boxes[image][rows], owner[image][rows], masks[image]
        count = max(1, PIXELS_AT_ONCE // (masks.shape[2] * masks.shape[3]))
        found: Tensor = _QuarterErrors.apply(count, *own)
        errors.append(found.new_zeros(chosen.shape).index_put((rows,), found))
    return torch.stack(errors)
