"""Spatial correlation of two feature maps: a function and a module with three equal implementations.

Only the temporal calibration uses it, which is off by default and did not help where it was measured (README.md).

They use CUDA and C++ kernels if these were compiled (`mmdet.ops.extension`), otherwise plain torch. MIT licence, see
LICENSE.
"""

from mmdet.ops.correlation.functional import spatial_correlation_sample
from mmdet.ops.correlation.module import SpatialCorrelationSampler

__all__ = ["SpatialCorrelationSampler", "spatial_correlation_sample"]
