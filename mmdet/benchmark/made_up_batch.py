"""Made-up batches of training pairs: pictures are noise and masks are ellipses that move a little."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from mmdet.structures import ClipBatch, ClipSample, FrameMeta, FrameTruth, Size, collate_clips

SIDES = (0.1, 0.6)  # of an object, as fractions of the frame's sides
_MOVEMENT = 0.05  # between the frames of a pair, as a fraction of the frame's sides


def synthetic_batch(
    size: Size, pairs: int, objects: int, num_classes: int, seed: int, whole_masks: bool = False
) -> ClipBatch:
    """Make pairs of frames of `size` in which the same `objects` ellipses move a little; padded as in training.

    `whole_masks`: with the masks of key frames at full size, which two-stage models need
    """
    generator = torch.Generator().manual_seed(seed)
    clips = [_pair(size, objects, num_classes, video, generator) for video in range(pairs)]
    return collate_clips([replace(clip, whole_masks=whole_masks) for clip in clips])


def _pair(size: Size, objects: int, num_classes: int, video: int, generator: torch.Generator) -> ClipSample:
    scale = torch.tensor([size[1], size[0]], dtype=torch.float32)
    low, high = SIDES
    sides = low + (high - low) * torch.rand(objects, 2, generator=generator)
    corners = (1 - sides) * torch.rand(objects, 2, generator=generator)
    labels = torch.randint(num_classes, (objects,), generator=generator)
    truths = []
    for _ in range(2):
        corners = (
            (corners + _MOVEMENT * (torch.rand(objects, 2, generator=generator) - 0.5)).clamp(min=0).minimum(1 - sides)
        )
        boxes = torch.cat((corners * scale, (corners + sides) * scale), dim=1)
        truths.append(
            FrameTruth(
                boxes=boxes,
                labels=labels,
                masks=_ellipses(boxes, size),
                instance_ids=torch.arange(objects),
                is_crowd=torch.zeros(objects, dtype=torch.bool),
            )
        )
    metas = tuple(
        FrameMeta(video_id=video, frame_index=frame, original_size=size, input_size=size, scale=1.0)
        for frame in range(2)
    )
    return ClipSample(
        images=torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8, generator=generator),
        truths=tuple(truths),
        metas=metas,
        reference_jitter=torch.zeros(objects, 4),
    )


def _ellipses(boxes: Tensor, size: Size) -> Tensor:
    """Fill boxes (N, 4) with ellipses, (N, H, W) bool."""
    y, x = (torch.arange(side) + 0.5 for side in size)
    centres, radii = (boxes[:, 2:] + boxes[:, :2]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    across = ((x - centres[:, :1]) / radii[:, :1]).square()[:, None]
    down = ((y - centres[:, 1:]) / radii[:, 1:]).square()[:, :, None]
    return across + down <= 1
