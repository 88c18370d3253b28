"""What the masks of a chunk's detections are drawn from, a kind for every family of models; still on the device.

Axes: B frames, N slots of detections. `mmdet.models.postprocess.masks` draws them.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from mmdet.structures.short_text import ShortText


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class BasisMasks(ShortText):
    """Coefficients times a basis, cut at the box (MODEL.md 7.4)."""

    coefficients: Tensor  # (B, N, E) float32
    basis: Tensor  # (B, E, H/2, W/2)
    boxes: Tensor  # (B, N, 4) input pixels


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SubMasks(ShortText):
    """As BasisMasks, but each quarter of the box has coefficients of its own (SipMask; BASELINES.md 2.4)."""

    coefficients: Tensor  # (B, N, 4, E) float32: top left, top right, bottom left, bottom right
    basis: Tensor  # (B, E, H/2, W/2)
    boxes: Tensor  # (B, N, 4) input pixels


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class NetworkMasks(ShortText):
    """A network per object that draws its mask from features (CondInst)."""

    weights: Tensor  # (B, N, D) float32, of the networks
    features: Tensor  # (B, C, H/4, W/4)
    places: Tensor  # (B, N, 3): point x, y and unit of positions of each object's network, input pixels


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PastedMasks(ShortText):
    """Small masks that are stretched to the box (Mask R-CNN; BASELINES.md 3.7)."""

    logits: Tensor  # (B, N, S, S) float32
    boxes: Tensor  # (B, N, 4) original pixels, inclusive


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class NoMasks(ShortText):
    """A detector of boxes alone (FCOS): its masks are its boxes, filled, so that results hold distinct tracks."""

    boxes: Tensor  # (B, N, 4) original pixels


MaskSource = BasisMasks | SubMasks | NetworkMasks | PastedMasks | NoMasks
