"""Feature pyramid network: the backbone's strides, and coarser levels made from its own last output.

Source: Lin et al., Feature Pyramid Networks for Object Detection; MODEL.md 2, BASELINES.md 1.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from mmdet.config.ranges import Count
from mmdet.errors import UserError, shown
from mmdet.registry import NECKS

COARSEST = 32  # stride of a backbone's last map
NUM_EXTRA = {"one": 1, "two": 2, "pool": 1}


@NECKS.register_module()
class FPN(nn.Module):
    """One lateral 1x1 and one output 3x3 convolution per level, and coarser levels from the last output.

    `in_strides`: of the backbone's maps; None: each is half the next, the last is 32
    `extra`: "one": a strided 3x3 convolution (MemCNP); "two": another one after it, of its rectified output (FCOS,
        SipMask); "pool": every second row and column (Mask R-CNN)
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: Count = 256,
        in_strides: Sequence[Count] | None = None,
        extra: Literal["one", "two", "pool"] = "one",
    ) -> None:
        super().__init__()
        if extra not in NUM_EXTRA:
            raise UserError(f"FPN: extra is {shown(extra)}, expected one of {', '.join(NUM_EXTRA)}")
        own = tuple(in_strides or (COARSEST >> level for level in reversed(range(len(in_channels)))))
        if len(own) != len(in_channels):
            raise UserError(f"FPN: in_strides is {shown(in_strides)}, expected {len(in_channels)} strides")
        self.channels, self.extra = channels, extra
        self.strides = (*own, *(own[-1] << step for step in range(1, NUM_EXTRA[extra] + 1)))
        self.lateral_convs = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in in_channels)
        self.output_convs = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in in_channels)
        if extra != "pool":
            self.extra_conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
        if extra == "two":
            self.second_extra_conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Return maps (N, C, H/s, W/s), s of `strides` (rounded up), from the backbone's maps (N, D_l, H/s, W/s)."""
        laterals = [conv(level) for conv, level in zip(self.lateral_convs, maps, strict=True)]
        for level in range(len(laterals) - 2, -1, -1):
            size = laterals[level].shape[-2:]
            laterals[level] = laterals[level] + F.interpolate(laterals[level + 1], size=size, mode="nearest")
        outputs = [conv(level) for conv, level in zip(self.output_convs, laterals, strict=True)]
        return [*outputs, *self._coarser(outputs[-1])]

    def _coarser(self, last: Tensor) -> list[Tensor]:
        if self.extra == "pool":
            return [last[..., ::2, ::2]]
        first: Tensor = self.extra_conv(last)
        return [first, self.second_extra_conv(F.relu(first))] if self.extra == "two" else [first]
