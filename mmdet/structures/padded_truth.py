"""The truth of a batch of clips as tensors of fixed sizes, the input of the losses.

Objects are padded to one of a few numbers of rows and masked, so that no shape depends on values on a device and shapes
repeat from batch to batch. The host makes it with the batch and moves it as a few tensors. Source: MODEL.md 6 (half
masks, jitter) and 10 (crowd regions).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from mmdet.structures.frames import FrameTruth, Size
from mmdet.structures.short_text import ShortText

_OPTIONAL = ("frames", "masks")
ROWS_MULTIPLE = 4  # of the number of rows: CUDA graphs and compiled code are made anew for every number


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FrameRows(ShortText):
    """The truth of all F frames of a batch, N rows per frame, as in PaddedTruth.

    The keys of all clips come first, then their first references, then their second ones, ...
    """

    boxes: Tensor  # (F, N, 4) float32
    labels: Tensor  # (F, N) int64
    valid: Tensor  # (F, N) bool
    is_crowd: Tensor  # (F, N) bool
    half_masks: Tensor  # (F, N, H/2, W/2) bool
    ids: Tensor  # (F, N) int64: of an object in its clip, equal in all its frames; -1 for crowds and padding

    def map_tensors(self, change: Callable[[Tensor], Tensor]) -> FrameRows:
        """Return a copy with the function applied to every tensor."""
        return FrameRows(**{field.name: change(getattr(self, field.name)) for field in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PaddedTruth(ShortText):
    """The truth of B clips: G rows per key frame, R rows per first reference frame. Boxes are in input pixels.

    Further references are in `frames` alone.

    G and R are the batch's largest numbers of objects, rounded up to a multiple of ROWS_MULTIPLE, at least that. Rows
    of crowd regions are `is_crowd` and not `valid`; rows of padding are neither.
    """

    boxes: Tensor  # (B, G, 4) float32, zeros in the padding
    labels: Tensor  # (B, G) int64, 0-based
    valid: Tensor  # (B, G) bool: an object
    is_crowd: Tensor  # (B, G) bool: a crowd region
    half_masks: Tensor  # (B, G, H/2, W/2) bool
    reference_boxes: Tensor  # (B, R, 4) float32, jittered
    reference_valid: Tensor  # (B, R) bool
    match: Tensor  # (B, G) int64: row of the same object in the reference frame, or -1
    frames: FrameRows | None = None  # None where the masks of reference frames are not read
    masks: Tensor | None = None  # (B, G, H, W) bool, of key frames; None where nothing learns from whole masks

    @property
    def has_objects(self) -> Tensor:
        """(B,) bool: whether the key frame shows an object."""
        return self.valid.any(dim=1)

    @property
    def row_counts(self) -> tuple[int, ...]:
        """The numbers of rows, which vary from batch to batch."""
        frames = () if self.frames is None else (self.frames.valid.shape[1],)
        return self.valid.shape[1], self.reference_valid.shape[1], *frames

    def map_tensors(self, change: Callable[[Tensor], Tensor]) -> PaddedTruth:
        """Return a copy with the function applied to every tensor, such as a move to a device."""
        own = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in _OPTIONAL}
        frames = None if self.frames is None else self.frames.map_tensors(change)
        masks = None if self.masks is None else change(self.masks)
        return PaddedTruth(**{name: change(tensor) for name, tensor in own.items()}, frames=frames, masks=masks)

    def copy_from(self, other: PaddedTruth) -> None:
        """Overwrite the tensors, in place, with those of a truth of the same sizes. The host does not wait."""
        theirs: list[Tensor] = []
        other.map_tensors(lambda tensor: theirs.append(tensor) or tensor)  # type: ignore[func-returns-value]
        rows = iter(theirs)
        self.map_tensors(lambda tensor: tensor.copy_(next(rows), non_blocking=True))


def pad_truths(
    truths: Sequence[Sequence[FrameTruth]], reference_jitter: Sequence[Tensor], size: Size, whole_masks: bool = False
) -> PaddedTruth:
    """Pad the truths of clips (key, reference, ...) and find every object in the first reference frame.

    `reference_jitter`: per clip the offsets (N_ref, 4) of the first reference's boxes, as fractions of their sides.
    `size`: (height, width) of the padded images, even and not smaller than any mask
    `whole_masks`: give the masks of key frames at their full size, too
    The rows of all frames are left out if a reference comes without its masks.
    """
    keys, references = [clip[0] for clip in truths], [clip[1] for clip in truths]
    is_crowd = _pad([key.is_crowd for key in keys])
    valid = _pad([torch.ones_like(key.is_crowd) for key in keys]) & ~is_crowd
    reference_valid = _pad([~reference.is_crowd for reference in references])
    key_ids, reference_ids = (_pad([frame.instance_ids for frame in frames]) for frames in (keys, references))
    same = (key_ids.unsqueeze(2) == reference_ids.unsqueeze(1)) & valid.unsqueeze(2) & reference_valid.unsqueeze(1)
    jittered = zip(references, reference_jitter, strict=True)
    return PaddedTruth(
        boxes=_pad([key.boxes for key in keys]),
        labels=_pad([key.labels for key in keys]),
        valid=valid,
        is_crowd=is_crowd,
        half_masks=_pad([halve_masks(key.masks) for key in keys], size[0] // 2, size[1] // 2),
        reference_boxes=_pad([jitter_boxes(reference.boxes, offsets) for reference, offsets in jittered]),
        reference_valid=reference_valid,
        match=torch.where(same.any(dim=2), same.int().argmax(dim=2), -1),
        frames=_pad_frames([frame for moment in zip(*truths, strict=True) for frame in moment], size),
        masks=_pad([key.masks for key in keys], *size) if whole_masks else None,
    )


def _pad_frames(frames: Sequence[FrameTruth], size: Size) -> FrameRows | None:
    if any(frame.masks.shape[-1] == 0 for frame in frames):
        return None
    is_crowd = _pad([frame.is_crowd for frame in frames])
    valid = _pad([torch.ones_like(frame.is_crowd) for frame in frames]) & ~is_crowd
    return FrameRows(
        boxes=_pad([frame.boxes for frame in frames]),
        labels=_pad([frame.labels for frame in frames]),
        valid=valid,
        is_crowd=is_crowd,
        half_masks=_pad([halve_masks(frame.masks) for frame in frames], size[0] // 2, size[1] // 2),
        ids=torch.where(valid, _pad([frame.instance_ids for frame in frames]), -1),
    )


def jitter_boxes(boxes: Tensor, offsets: Tensor) -> Tensor:
    """Move the centres of boxes (N, 4) by offsets[:, :2] and stretch their sides by offsets[:, 2:] (fractions)."""
    sides = boxes[:, 2:] - boxes[:, :2]
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2 + sides * offsets[:, :2]
    half = sides * (1 + offsets[:, 2:]) / 2
    return torch.cat((centre - half, centre + half), dim=1)


def halve_masks(masks: Tensor) -> Tensor:
    """Return masks (N, H, W) bool on the host at half size.

    A pixel is set if more than half of its four are (bilinear x0.5, > 0.5). Pixels beyond an odd side count as not set,
    so that half masks may be padded instead of masks.
    """
    pixels = masks.numpy().view(np.uint8)
    count, height, width = pixels.shape
    sums = np.zeros((count, -(-height // 2), 2 * -(-width // 2)), np.uint8)  # sums of two pixels, one above the other
    sums[..., :width] = pixels[:, ::2]
    sums[:, : height // 2, :width] += pixels[:, 1::2]
    neighbours = sums.view(np.uint16)  # one sum in each byte: steps of two bytes are slow
    neighbours += neighbours << 8  # the upper byte holds the sum of four pixels
    return torch.from_numpy(neighbours >= 3 << 8)


def _pad(rows: Sequence[Tensor], *shape: int) -> Tensor:
    """Stack tensors (n_i, ...) to (B, N, *shape), padded with zeros.

    Without `shape` all have the shape of the first.
    """
    most = max(len(row) for row in rows)
    count = max(-(-most // ROWS_MULTIPLE), 1) * ROWS_MULTIPLE
    stacked = rows[0].new_zeros(len(rows), count, *(shape or rows[0].shape[1:]))
    for padded, row in zip(stacked, rows, strict=True):
        padded[tuple(slice(length) for length in row.shape)] = row
    return stacked
