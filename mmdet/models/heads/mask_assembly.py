"""Masks of detections: coefficients times basis, cropped to the box, resized to the original image, thresholded.

Source: MODEL.md 7.4 (SipMask without sub-masks). Knows nothing of scores, classes or tracks.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mmdet.structures import FrameMeta

BASIS_STRIDE = 2
THRESHOLD = 0.5


def crop_to_boxes(masks: Tensor, boxes: Tensor) -> Tensor:
    """Zero masks (N, h, w) outside their half-open boxes (N, 4), both in the masks' own pixels."""
    y = torch.arange(masks.shape[-2], device=masks.device)[None, :, None]
    x = torch.arange(masks.shape[-1], device=masks.device)[None, None, :]
    x1, y1, x2, y2 = boxes[:, :, None, None].unbind(dim=1)
    inside = (x >= x1) & (x < x2) & (y >= y1) & (y < y2)
    return torch.where(inside, masks, 0.0)


def assemble_masks(basis: Tensor, coefficients: Tensor, boxes: Tensor, meta: FrameMeta) -> Tensor:
    """Return masks (N, H0, W0) bool at the original size.

    basis (E, H/2, W/2), coefficients (N, E), boxes (N, 4) in input pixels. Soft masks are cropped first, then resized
    by the nominal factor 2 / scale, then thresholded, then cut or padded to the original size.
    """
    height, width = meta.original_size
    if len(boxes) == 0:
        return torch.zeros(0, height, width, dtype=torch.bool, device=basis.device)
    soft = torch.einsum("ne,ehw->nhw", coefficients.float(), basis.float()).sigmoid()
    soft = crop_to_boxes(soft, boxes / BASIS_STRIDE)
    resized = F.interpolate(
        soft[None],
        scale_factor=BASIS_STRIDE / meta.scale,
        mode="bilinear",
        align_corners=False,
        recompute_scale_factor=False,
    )[0]
    binary = resized[:, :height, :width] > THRESHOLD
    return F.pad(binary, (0, width - binary.shape[-1], 0, height - binary.shape[-2]))
