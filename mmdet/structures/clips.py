"""Training samples and batches: T frames of one video with their truth (a key and its references; T = 1 in testing).

Images stay uint8 RGB until the model normalises them; `valid` marks the pixels that are not padding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mmdet.structures.frames import FrameMeta, FrameTruth
from mmdet.structures.padded_truth import PaddedTruth, pad_truths
from mmdet.structures.short_text import ShortText


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ClipSample(ShortText):
    """T frames of one video with the same transforms, so that all have one size."""

    images: Tensor  # (T, 3, H, W) uint8 RGB
    truths: tuple[FrameTruth, ...]  # T; masks (N, H, W); of references (N, 0, 0) where the model does not need them
    metas: tuple[FrameMeta, ...]  # T
    reference_jitter: Tensor  # (N_ref, 4) offsets of the first reference's boxes, as fractions of their size
    bad_frames: tuple[str, ...] = ()  # why the frames that this sample replaces could not be read
    whole_masks: bool = False  # whether losses need the masks of the key frame at their full size


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ClipBatch(ShortText):
    """B clips padded at the bottom and right to one size."""

    images: Tensor  # (B, T, 3, H, W) uint8 RGB, zeros in the padding
    valid: Tensor  # (B, T, H, W) bool
    truth: PaddedTruth | None  # None if T = 1
    metas: tuple[tuple[FrameMeta, ...], ...]  # B x T
    bad_frames: tuple[tuple[str, ...], ...] = ()  # B, as in the samples; () if all frames could be read

    @staticmethod
    def make(
        images: Tensor,
        valid: Tensor,
        truths: Sequence[tuple[FrameTruth, ...]],
        metas: Sequence[tuple[FrameMeta, ...]],
        reference_jitter: Sequence[Tensor],
        bad_frames: Sequence[tuple[str, ...]] = (),
        whole_masks: bool = False,
    ) -> ClipBatch:
        """Make a batch from stacked images and the truths of its clips, B x T. Masks may be smaller than the images."""
        several = all(len(clip) > 1 for clip in truths)
        height, width = images.shape[-2:]
        return ClipBatch(
            images=images,
            valid=valid,
            truth=pad_truths(truths, reference_jitter, (height, width), whole_masks) if several else None,
            metas=tuple(metas),
            bad_frames=tuple(bad_frames) if any(bad_frames) else (),
        )

    @staticmethod
    def join(batches: Sequence[ClipBatch]) -> ClipBatch:
        """Return batches of single frames of one size as one."""
        if len(batches) == 1:
            return batches[0]
        return ClipBatch(
            images=torch.cat([batch.images for batch in batches]),
            valid=torch.cat([batch.valid for batch in batches]),
            truth=None,
            metas=tuple(meta for batch in batches for meta in batch.metas),
        )

    @property
    def truth_of_pairs(self) -> PaddedTruth:
        """The truth. Raises ValueError for a batch of single frames, which has none."""
        if self.truth is None:
            raise ValueError(
                "the losses need pairs of frames or longer clips: give the model (B, T, 3, H, W) with T > 1 in training"
            )
        return self.truth

    def to(self, device: torch.device | str, non_blocking: bool = False) -> ClipBatch:
        """Return a copy on `device`."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> ClipBatch:
        """Return a copy in page-locked memory (called by torch's DataLoader)."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> ClipBatch:
        truth = None if self.truth is None else self.truth.map_tensors(change)
        return replace(self, images=change(self.images), valid=change(self.valid), truth=truth)

    def describe(self) -> str:
        """Return the names of the batch's frames, for error messages."""
        clips = (f"video {clip[0].video_id} frames {[meta.frame_index for meta in clip]}" for clip in self.metas)
        return "; ".join(clips)


def collate_clips(samples: Sequence[ClipSample], divisor: int = 32) -> ClipBatch:
    """Pad samples to their common size, rounded up to a multiple of `divisor`, and stack them."""
    height, width = (-(-max(sample.images.shape[axis] for sample in samples) // divisor) * divisor for axis in (-2, -1))
    first = samples[0].images
    images = first.new_zeros(len(samples), *first.shape[:2], height, width)
    valid = torch.zeros(len(samples), len(first), height, width, dtype=torch.bool)
    for padded, marks, sample in zip(images, valid, samples, strict=True):
        inside = (..., slice(sample.images.shape[-2]), slice(sample.images.shape[-1]))
        padded[inside] = sample.images
        marks[inside] = True
    return ClipBatch.make(
        images=images,
        valid=valid,
        truths=[sample.truths for sample in samples],
        metas=[sample.metas for sample in samples],
        reference_jitter=[sample.reference_jitter for sample in samples],
        bad_frames=[sample.bad_frames for sample in samples],
        whole_masks=any(sample.whole_masks for sample in samples),
    )
