"""Masks whose quarters have coefficients of their own, at the original size. Source: BASELINES.md 2.4 and 2.5."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mmdet.models.postprocess.masks import PIXELS_AT_ONCE, draw, enlarge
from mmdet.ops.masks.crop_split import crop_split
from mmdet.structures import FrameMeta
from mmdet.structures.head_outputs import BASIS_STRIDE
from mmdet.structures.mask_sources import SubMasks


def draw_quarters(
    source: SubMasks, chosen: Tensor, counts: Sequence[int], meta: FrameMeta, ratio_of_sizes: bool = True
) -> Tensor:
    """Return masks (M, H0, W0) bool at the original size, of the slots that `draw` describes.

    Soft masks are crop-split first, then resized (see `enlarge`; B5), then compared with the threshold.
    """
    height, width = meta.original_size
    if len(chosen) == 0:
        return torch.zeros(0, height, width, dtype=torch.bool, device=source.boxes.device)
    coefficients = source.coefficients.flatten(0, 1)[chosen].float().split(list(counts))
    boxes = (source.boxes.flatten(0, 1)[chosen] / BASIS_STRIDE).split(list(counts))
    drawn = []
    for basis, own, box in zip(source.basis, coefficients, boxes, strict=True):
        if len(own):
            maps = torch.einsum("nqe,ehw->nqhw", own, basis.float()).sigmoid()
            drawn.append(crop_split(maps, box))
    parts = torch.cat(drawn).split(max(1, PIXELS_AT_ONCE // (height * width)))
    return torch.cat([enlarge(part, meta, ratio_of_sizes=ratio_of_sizes) for part in parts])


@draw.register
def _(source: SubMasks, chosen: Tensor, counts: Sequence[int], meta: FrameMeta) -> Tensor:
    return draw_quarters(source, chosen, counts, meta)
