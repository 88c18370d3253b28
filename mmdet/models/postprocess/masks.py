"""Masks of detections, drawn from what a family of models predicts for them, at the original size.

Source: MODEL.md 7.4 (SipMask without sub-masks): coefficients times basis, cropped to the box, resized, thresholded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import singledispatch

import torch
from torch import Tensor
from torch.nn import functional as F

from mmdet.ops.masks.dynamic import dynamic_masks
from mmdet.structures import ChunkDetections, FrameMeta
from mmdet.structures.dynamic_outputs import FEATURE_STRIDE
from mmdet.structures.head_outputs import BASIS_STRIDE
from mmdet.structures.mask_sources import BasisMasks, MaskSource, NetworkMasks, NoMasks

THRESHOLD = 0.5
PIXELS_AT_ONCE = 2**27  # pixels of float32 masks before the threshold: half a GiB


def crop_to_boxes(masks: Tensor, boxes: Tensor) -> Tensor:
    """Zero masks (N, h, w) outside their half-open boxes (N, 4), both in the masks' own pixels."""
    y = torch.arange(masks.shape[-2], device=masks.device)[None, :, None]
    x = torch.arange(masks.shape[-1], device=masks.device)[None, None, :]
    x1, y1, x2, y2 = boxes[:, :, None, None].unbind(dim=1)
    inside = (x >= x1) & (x < x2) & (y >= y1) & (y < y2)
    return torch.where(inside, masks, 0.0)


def assemble_masks(basis: Tensor, coefficients: Sequence[Tensor], boxes: Tensor, meta: FrameMeta) -> Tensor:
    """Return masks (N, H0, W0) bool at the original size, of all detections of B frames of one size and scale.

    basis (B, E, H/2, W/2), coefficients (n_b, E) of each frame, boxes (N, 4) of all frames in input pixels. Soft masks
    are cropped first, then resized by the nominal factor 2 / scale, then thresholded, then cut or padded to the
    original size.
    """
    height, width = meta.original_size
    if len(boxes) == 0:
        return torch.zeros(0, height, width, dtype=torch.bool, device=basis.device)
    frames = zip(basis, coefficients, strict=True)
    logits = [torch.einsum("ne,ehw->nhw", own.float(), frame.float()) for frame, own in frames if len(own)]
    soft = crop_to_boxes(torch.cat(logits).sigmoid(), boxes / BASIS_STRIDE)
    return torch.cat([enlarge(part, meta) for part in soft.split(max(1, PIXELS_AT_ONCE // (height * width)))])


def draw_dynamic(features: Tensor, weights: Sequence[Tensor], places: Sequence[Tensor], meta: FrameMeta) -> Tensor:
    """Return masks (N, H0, W0) bool at the original size, drawn by the objects' own networks.

    features (B, C, H/4, W/4); weights (n_b, D) and places (n_b, 3) of each frame, as in NetworkMasks. Logits are
    resized, then compared with 0; nothing is cut at the box.
    """
    height, width = meta.original_size
    if not sum(map(len, weights)):
        return torch.zeros(0, height, width, dtype=torch.bool, device=features.device)
    drawn = [
        dynamic_masks(frame[None].float(), own[None], place[None, :, :2], place[None, :, 2], FEATURE_STRIDE)[0]
        for frame, own, place in zip(features, weights, places, strict=True)
        if len(own)
    ]
    parts = torch.cat(drawn).split(max(1, PIXELS_AT_ONCE // (height * width)))
    return torch.cat([enlarge(part, meta, FEATURE_STRIDE, 0.0) for part in parts])


def draw_masks(found: ChunkDetections, rows: Sequence[Sequence[int]], meta: FrameMeta) -> Tensor:
    """Return masks (M, H0, W0) bool of the given slots of each frame, frame after frame, as `draw` does."""
    slots, device = found.rows.shape[1], found.rows.device
    chosen = torch.tensor([frame * slots + row for frame, own in enumerate(rows) for row in own], dtype=torch.int64)
    if device.type == "cuda":  # otherwise the host would wait for all queued work
        chosen = chosen.pin_memory().to(device, non_blocking=True)
    if found.masks is not None:
        return found.masks.flatten(0, 1)[chosen]
    return draw(found.mask_source, chosen, [len(own) for own in rows], meta)


def draw_all(found: ChunkDetections, meta: FrameMeta) -> ChunkDetections:
    """Return the detections with the masks of all slots, including empty ones, so that no size depends on the data.

    They get no masks if there would be more pixels than PIXELS_AT_ONCE.
    """
    frames, slots = found.rows.shape[:2]
    height, width = meta.original_size
    if frames * slots * height * width > PIXELS_AT_ONCE:
        return found
    chosen = torch.arange(frames * slots, device=found.rows.device)
    masks = draw(found.mask_source, chosen, [slots] * frames, meta)
    return replace(found, masks=masks.unflatten(0, (frames, slots)))


@singledispatch
def draw(source: MaskSource, chosen: Tensor, counts: Sequence[int], meta: FrameMeta) -> Tensor:
    """Return masks (M, H0, W0) bool at the original size.

    `chosen`: (M,) the slots b * N + n, frame after frame; `counts`: how many of each frame
    """
    raise TypeError(f"no way to draw {type(source).__name__}")


@draw.register
def _(source: BasisMasks, chosen: Tensor, counts: Sequence[int], meta: FrameMeta) -> Tensor:
    coefficients = source.coefficients.flatten(0, 1)[chosen].split(list(counts))
    return assemble_masks(source.basis, coefficients, source.boxes.flatten(0, 1)[chosen], meta)


@draw.register
def _(source: NetworkMasks, chosen: Tensor, counts: Sequence[int], meta: FrameMeta) -> Tensor:
    weights, places = (part.flatten(0, 1)[chosen].split(list(counts)) for part in (source.weights, source.places))
    return draw_dynamic(source.features, weights, places, meta)


@draw.register
def _(source: NoMasks, chosen: Tensor, counts: Sequence[int], meta: FrameMeta) -> Tensor:
    boxes = source.boxes.flatten(0, 1)[chosen]
    full = torch.ones((), device=boxes.device).expand(len(boxes), *meta.original_size)
    return crop_to_boxes(full, boxes) > 0


def enlarge(
    soft: Tensor,
    meta: FrameMeta,
    stride: int = BASIS_STRIDE,
    threshold: float = THRESHOLD,
    ratio_of_sizes: bool = False,
) -> Tensor:
    """Resize soft masks (N, h, w), one pixel for `stride` input pixels, to bool masks at the original size.

    The new size is the old one times stride / scale, rounded down. Where the new pixels lie follows from this factor,
    or with `ratio_of_sizes` from that of the rounded sizes, as in releases for torch before 1.5 (BASELINES.md 6, B5).
    """
    height, width = meta.original_size
    resized = F.interpolate(
        soft[None],
        scale_factor=stride / meta.scale,
        mode="bilinear",
        align_corners=False,
        recompute_scale_factor=ratio_of_sizes,
    )[0]
    binary = resized[:, :height, :width] > threshold
    return F.pad(binary, (0, width - binary.shape[-1], 0, height - binary.shape[-2]))
