"""Spatial correlation as a module without weights: `spatial_correlation_sample` with its parameters bound."""

from __future__ import annotations

from torch import Tensor, nn

from mmdet.ops.correlation.functional import spatial_correlation_sample
from mmdet.ops.correlation.geometry import Pair, make_geometry


class SpatialCorrelationSampler(nn.Module):
    """Correlate maps (B, C, H, W) to (B, PH, PW, OH, OW); the arguments are those of `spatial_correlation_sample`."""

    def __init__(
        self,
        kernel_size: int | Pair = 1,
        patch_size: int | Pair = 1,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        dilation: int | Pair = 1,
        dilation_patch: int | Pair = 1,
    ) -> None:
        super().__init__()
        self.geometry = make_geometry(kernel_size, patch_size, stride, padding, dilation, dilation_patch)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        """Correlate the two maps."""
        return spatial_correlation_sample(input1, input2, *self.geometry)

    def extra_repr(self) -> str:
        """Return the parameters as text."""
        return ", ".join(f"{name}={value}" for name, value in self.geometry._asdict().items())
