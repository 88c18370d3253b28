"""Spatial correlation of two feature maps: a function and a module over three implementations of one contract.

Only the temporal calibration uses it, which is off by default and did not help where it was measured (README.md).

CUDA and C++ kernels where they were compiled (`mmdet.ops.extension`), plain torch elsewhere. MIT licence, see LICENSE.
"""

from mmdet.ops.correlation.functional import spatial_correlation_sample
from mmdet.ops.correlation.module import SpatialCorrelationSampler

__all__ = ["SpatialCorrelationSampler", "spatial_correlation_sample"]
