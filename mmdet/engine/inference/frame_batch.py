"""Make the network's input from one raw frame: the transforms of testing, padding, memory that a GPU can copy from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from mmdet.datasets import RawFrame, Transform
from mmdet.models.detectors.frames import SIZE_DIVISOR
from mmdet.structures import ClipBatch, FrameMeta, Size


class FramePreparation:
    """The transforms of testing for single frames.

    `pinned` puts the result into page-locked memory, from which a GPU copies.
    """

    def __init__(self, transforms: Sequence[Transform], pinned: bool) -> None:
        self.transforms, self.pinned = list(transforms), pinned

    def __call__(self, frame: np.ndarray, video_id: int, frame_index: int) -> ClipBatch:
        """Return what `collate_clips` makes of one frame (H, W, 3) uint8 RGB.

        The images keep the memory layout of the transforms (colours innermost) and lie in page-locked memory if
        `pinned`. Frames of one size share `valid`: do not change it.
        """
        size, pinned = (frame.shape[0], frame.shape[1]), self.pinned
        no_boxes, no_masks = np.zeros((0, 4), np.float32), np.zeros((0, *size), np.uint8)
        rooms: list[tuple[np.ndarray, Tensor]] = []

        def allocate(shape: tuple[int, ...]) -> np.ndarray:
            rooms.append(_padded_room((shape[0], shape[1]), pinned))
            return rooms[-1][0]

        raw = RawFrame(image=frame, boxes=no_boxes, masks=no_masks, scale=1.0, original_size=size, allocate=allocate)
        frames = [raw]
        for transform in self.transforms:
            frames = transform(frames, np.random.default_rng(0))  # the transforms of testing draw no random numbers
        image = frames[0].image
        input_size = (image.shape[0], image.shape[1])
        if not rooms or image is not rooms[-1][0]:  # the last transform left it elsewhere
            np.copyto(allocate(image.shape), image)
        meta = FrameMeta(
            video_id=video_id, frame_index=frame_index, original_size=size, input_size=input_size, scale=frames[0].scale
        )
        images = rooms[-1][1].permute(2, 0, 1)[None, None]
        return ClipBatch(images=images, valid=_valid_pixels(input_size, pinned), truth=None, metas=((meta,),))


def _padded_room(size: Size, pinned: bool) -> tuple[np.ndarray, Tensor]:
    """Return memory for an image (H, W, 3) uint8 of `size`, and the same memory with the zero padding around it."""
    room = torch.empty(*_padded(size), 3, dtype=torch.uint8, pin_memory=pinned)
    pixels = room.numpy()
    pixels[size[0] :] = 0
    pixels[: size[0], size[1] :] = 0
    return pixels[: size[0], : size[1]], room


@lru_cache(maxsize=8)
def _valid_pixels(size: Size, pinned: bool) -> Tensor:
    """Return `ClipBatch.valid` (1, 1, H, W) of one padded image of `size`."""
    valid = torch.zeros(1, 1, *_padded(size), dtype=torch.bool, pin_memory=pinned)
    valid[..., : size[0], : size[1]] = True
    return valid


def _padded(size: Size) -> Size:
    """Round a size up as `collate_clips` does."""
    height, width = (-(-side // SIZE_DIVISOR) * SIZE_DIVISOR for side in size)
    return height, width
