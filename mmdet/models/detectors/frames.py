"""What whole models have in common: frames as the network takes them, and the points that a memory may learn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from mmdet.models.assigners.targets import memory_targets
from mmdet.structures import PaddedTruth, PointGrid
from mmdet.structures.padded_truth import FrameRows

SIZE_DIVISOR = 32  # the coarsest backbone stride, so that the fused levels have matching sizes (MODEL.md 10, Q23)


class Queries(Protocol):
    """Outputs of a head that asks a memory at every point."""

    @property
    def points(self) -> PointGrid:
        """The P points."""

    @property
    def memory_query(self) -> Tensor:
        """(F, P, C): what it asks."""


def pad_to_multiple(tensor: Tensor, divisor: int = SIZE_DIVISOR) -> Tensor:
    """Pad the last two dimensions with zeros at the bottom and right to multiples of `divisor`."""
    height, width = tensor.shape[-2:]
    return F.pad(tensor, (0, -width % divisor, 0, -height % divisor))


def stack_frames(images: Tensor, valid: Tensor, mean: Tensor, std: Tensor, bgr: bool = False) -> Tensor:
    """Return the frames of all clips (T * B, 3, H, W), padded; first frames of all clips first, then second ones, ...

    images (B, T, 3, H, W), valid (B, T, H, W) bool. uint8 images are RGB; they are normalised and their padding is set
    to zero. With `bgr` the network, and with it `mean` and `std`, has the colours in the order blue, green, red. Float
    images must already be normalised and padded, in the network's order.
    """
    images, valid = pad_to_multiple(images), pad_to_multiple(valid)
    stacked = images.transpose(0, 1).flatten(0, 1)
    if stacked.is_floating_point():
        return stacked
    inside = valid.transpose(0, 1).flatten(0, 1)[:, None]
    ordered = stacked.flip(1) if bgr else stacked
    return (ordered.float() - mean) / std * inside


def memory_rows(outputs: Sequence[Queries], truths: Sequence[PaddedTruth | FrameRows]) -> tuple[Tensor, Tensor, Tensor]:
    """Return queries (N, C), memory targets (N, 4) and which are foreground (N,), of all points of all batches."""
    queries, targets, foreground = [], [], []
    for output, truth in zip(outputs, truths, strict=True):
        target, inside = memory_targets(output.points, truth)
        queries.append(output.memory_query.flatten(0, 1))
        targets.append(target.flatten(0, 1))
        foreground.append(inside.flatten())
    return torch.cat(queries), torch.cat(targets), torch.cat(foreground)
