"""Masks of two-stage models at the original size: the small mask of a detection is stretched to its box.

Source: BASELINES.md 3.7.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mmdet.models.postprocess.masks import PIXELS_AT_ONCE, THRESHOLD, draw
from mmdet.ops.masks.stretching import paste_masks
from mmdet.structures import FrameMeta
from mmdet.structures.mask_sources import PastedMasks


@draw.register
def draw_pasted(source: PastedMasks, chosen: Tensor, counts: Sequence[int], meta: FrameMeta) -> Tensor:
    """Return masks (M, H0, W0) bool at the original size; see `draw`."""
    height, width = meta.original_size
    soft = source.logits.flatten(0, 1)[chosen].float().sigmoid()
    boxes = source.boxes.flatten(0, 1)[chosen]
    if not len(boxes):
        return torch.zeros(0, height, width, dtype=torch.bool, device=boxes.device)
    most = max(1, PIXELS_AT_ONCE // (height * width))
    parts = zip(soft.split(most), boxes.split(most), strict=True)
    return torch.cat([paste_masks(*part, meta.original_size) > THRESHOLD for part in parts])
