"""Temporal feature calibration: a frame's features plus those of its reference frame, moved to the current positions.

Source: Qi et al., Occluded Video Instance Segmentation (IJCV 2022), CMaskTrack R-CNN and CSipMask. A neck stage between
FPN and head. It holds weights only: features of earlier frames are passed in and returned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmdet.config.ranges import Count, Natural
from mmdet.ops.correlation import SpatialCorrelationSampler
from mmdet.ops.deform.functional import KERNEL, deform_conv
from mmdet.registry import NECKS
from mmdet.structures.short_text import ShortText

LEAK = 0.1  # slope of the correlation's activation below zero
# The reference's share starts at about 0.001 * sqrt(9 * 256) = 5 % of the features: nearly the per-frame model, but
# unlike a share of exactly zero it gives the offsets a gradient from the first step.
START_STD = 0.001


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TemporalContext(ShortText):
    """What the next frame of a video needs from the previous one: its features before calibration, without gradient."""

    maps: tuple[Tensor, ...]  # (1, C, h, w), one per calibrated level


class LevelCalibration(nn.Module):
    """Calibrates maps of one level: correlation, three convolutions, offsets, deformable convolution, sum.

    The offset convolution starts at zero, so the deformable convolution starts as a plain one, with small weights
    (START_STD): the sum starts near the frame's own features.
    """

    def __init__(self, channels: int, patch_size: int, dilation_patch: int, hidden_channels: int) -> None:
        super().__init__()
        self.correlation = SpatialCorrelationSampler(patch_size=patch_size, dilation_patch=dilation_patch)
        widths = (patch_size**2, hidden_channels, hidden_channels, hidden_channels)
        convs = [nn.Conv2d(before, after, 3, padding=1) for before, after in pairwise(widths)]
        self.convs = nn.ModuleList(convs)
        self.offset_conv = nn.Conv2d(hidden_channels, 2 * KERNEL * KERNEL, 3, padding=1)
        self.weight = nn.Parameter(torch.empty(channels, channels, KERNEL, KERNEL))
        for conv in (*convs, self.offset_conv):
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            if conv.bias is not None:
                nn.init.zeros_(conv.bias)
        nn.init.zeros_(self.offset_conv.weight)
        nn.init.normal_(self.weight, std=START_STD)

    def forward(self, current: Tensor, reference: Tensor) -> Tensor:
        """Calibrate maps (N, C, h, w) by the maps of their references; the result has the same shape and dtype.

        Correlation, offsets and deformable convolution run in float32 even under autocast: bfloat16 would round an
        offset of 16 cells to eighths of a cell.
        """
        with torch.autocast(current.device.type, enabled=False):
            likeness = self.correlation(current.float(), reference.float()).flatten(1, 2) / current.shape[1]
        hidden = F.leaky_relu(likeness, LEAK)
        for conv in self.convs:
            hidden = F.relu(conv(hidden))
        with torch.autocast(current.device.type, enabled=False):
            moved = deform_conv(reference.float(), self.offset_conv(hidden.float()), self.weight.float())
            return (current.float() + moved).to(current.dtype)


@NECKS.register_module()
class TemporalCalibration(nn.Module):
    """Calibrates the `levels` of a pyramid (0 is the finest), each with its own weights; other levels stay unchanged.

    A patch of 16 x 16 cells, 2 apart, compares moves of -15, -13, ... 15 cells. The default, only the finest level, is
    this package's choice: there the reach is 120 input pixels, more than most objects move between frames, and the mask
    basis, mask coefficients and embeddings are all at stride 8. Each coarser level would cost a quarter of the one
    before. Weights are not shared because the same move is half as many cells on the next level.
    """

    def __init__(
        self,
        channels: int,
        strides: Sequence[int],
        levels: Sequence[Natural] = (0,),
        patch_size: Count = 16,
        dilation_patch: Count = 2,
        hidden_channels: Count = 256,
    ) -> None:
        super().__init__()
        self.levels = tuple(levels)
        if not self.levels or len(set(self.levels)) < len(self.levels) or set(self.levels) - set(range(len(strides))):
            raise ValueError(
                f"levels is {self.levels}; name some of the pyramid's levels 0 to {len(strides) - 1}, each once"
            )
        self.calibrations = nn.ModuleList(
            LevelCalibration(channels, patch_size, dilation_patch, hidden_channels) for _ in self.levels
        )

    def forward(
        self, pyramid: Sequence[Tensor], context: TemporalContext | None
    ) -> tuple[list[Tensor], TemporalContext]:
        """Calibrate N consecutive frames of one video, each by the one before it; maps (N, C, h, w).

        `context` comes from the frames before these; None starts a video, whose first frame is its own reference.
        Returns the calibrated pyramid and the context for the next frames.
        """
        maps = [pyramid[level] for level in self.levels]
        before = [level[:1] for level in maps] if context is None else context.maps
        references = [torch.cat([first, level[:-1]]) for first, level in zip(before, maps, strict=True)]
        # a copy, because a view would keep the maps of all frames in memory
        left = TemporalContext(maps=tuple(level[-1:].detach().clone() for level in maps))
        return self._calibrate(pyramid, references), left

    def calibrate_pairs(self, pyramid: Sequence[Tensor]) -> list[Tensor]:
        """Calibrate B keys by their references, and the references by themselves; maps (2 B, C, h, w), keys first."""
        return self._calibrate(pyramid, [pyramid[level].chunk(2)[1].repeat(2, 1, 1, 1) for level in self.levels])

    def _calibrate(self, pyramid: Sequence[Tensor], references: Sequence[Tensor]) -> list[Tensor]:
        calibrated = list(pyramid)
        for level, calibration, reference in zip(self.levels, self.calibrations, references, strict=True):
            calibrated[level] = calibration(pyramid[level], reference)
        return calibrated
