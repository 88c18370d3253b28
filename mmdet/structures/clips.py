"""Training samples and batches: T frames of one video with their truth (T = 2: key, reference; T = 1 in testing).

Images stay uint8 RGB until the model normalises them; `valid` marks the pixels that are image and not padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mmdet.structures.frames import FrameMeta, FrameTruth


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSample:
    """T frames of one video, transformed alike, so that all have one size."""

    images: Tensor  # (T, 3, H, W) uint8 RGB
    truths: tuple[FrameTruth, ...]  # T, masks (N, H, W)
    metas: tuple[FrameMeta, ...]  # T
    reference_jitter: Tensor  # (N_ref, 4) offsets of the reference frame's boxes, as fractions of their size


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipBatch:
    """B clips padded at the bottom and right to one size."""

    images: Tensor  # (B, T, 3, H, W) uint8 RGB, zeros in the padding
    valid: Tensor  # (B, T, H, W) bool
    truths: tuple[tuple[FrameTruth, ...], ...]  # B x T, masks at the padded size
    metas: tuple[tuple[FrameMeta, ...], ...]  # B x T
    reference_jitter: tuple[Tensor, ...]  # B

    def to(self, device: torch.device | str, non_blocking: bool = False) -> ClipBatch:
        """Return a copy on `device`."""
        return replace(
            self,
            images=self.images.to(device, non_blocking=non_blocking),
            valid=self.valid.to(device, non_blocking=non_blocking),
            truths=tuple(tuple(t.to(device, non_blocking) for t in clip) for clip in self.truths),
            reference_jitter=tuple(j.to(device, non_blocking=non_blocking) for j in self.reference_jitter),
        )

    def pin_memory(self) -> ClipBatch:
        """Return a copy in page-locked memory (called by torch's DataLoader)."""
        return replace(
            self,
            images=self.images.pin_memory(),
            valid=self.valid.pin_memory(),
            truths=tuple(tuple(t.pin_memory() for t in clip) for clip in self.truths),
            reference_jitter=tuple(j.pin_memory() for j in self.reference_jitter),
        )

    def describe(self) -> str:
        """Name the frames of the batch, for error messages."""
        clips = (f"video {clip[0].video_id} frames {[meta.frame_index for meta in clip]}" for clip in self.metas)
        return "; ".join(clips)


def _padded(tensor: Tensor, height: int, width: int) -> Tensor:
    """Pad the last two dimensions with zeros at the bottom and right."""
    out = tensor.new_zeros(*tensor.shape[:-2], height, width)
    out[..., : tensor.shape[-2], : tensor.shape[-1]] = tensor
    return out


def collate_clips(samples: Sequence[ClipSample], divisor: int = 32) -> ClipBatch:
    """Pad samples to their common size, rounded up to a multiple of `divisor`, and stack them."""
    height, width = (-(-max(sample.images.shape[axis] for sample in samples) // divisor) * divisor for axis in (-2, -1))
    valid = torch.zeros(len(samples), samples[0].images.shape[0], height, width, dtype=torch.bool)
    for index, sample in enumerate(samples):
        valid[index, :, : sample.images.shape[-2], : sample.images.shape[-1]] = True
    return ClipBatch(
        images=torch.stack([_padded(sample.images, height, width) for sample in samples]),
        valid=valid,
        truths=tuple(
            tuple(replace(truth, masks=_padded(truth.masks, height, width)) for truth in sample.truths)
            for sample in samples
        ),
        metas=tuple(sample.metas for sample in samples),
        reference_jitter=tuple(sample.reference_jitter for sample in samples),
    )
