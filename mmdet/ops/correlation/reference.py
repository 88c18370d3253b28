"""Spatial correlation in plain torch: slow and simple, on any device, differentiable any number of times.

The compiled kernels are tested against it, and it runs if they are not built.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mmdet.ops.correlation.geometry import Geometry


def reference_correlation(input1: Tensor, input2: Tensor, geometry: Geometry) -> Tensor:
    """Correlate maps (B, C, H, W) to (B, PH, PW, OH, OW); half and bfloat16 are summed in float32."""
    dtype = torch.promote_types(input1.dtype, torch.float32)
    return _correlate(input1.to(dtype), input2.to(dtype), geometry).to(input1.dtype)


def _correlate(one: Tensor, two: Tensor, geometry: Geometry) -> Tensor:
    inside_one = inside_two = torch.ones(1, 1, *one.shape[2:], dtype=one.dtype, device=one.device)
    (pad_y, pad_x), (center_y, center_x) = geometry.padding, geometry.center()
    (patch_y, patch_x), (step_y, step_x) = geometry.patch_size, geometry.dilation_patch
    shape = geometry.output_shape(tuple(one.shape))
    margin_one = (pad_x, pad_x, pad_y, pad_y)
    one, inside_one = F.pad(one, margin_one), F.pad(inside_one, margin_one) > 0
    # The margin is wide enough for every offset, so that patch cell (0, 0) of map two starts at its corner.
    last_y, last_x = step_y * (patch_y - 1) - center_y, step_x * (patch_x - 1) - center_x
    margin_two = (pad_x + center_x, pad_x + last_x, pad_y + center_y, pad_y + last_y)
    two, inside_two = F.pad(two, margin_two), F.pad(inside_two, margin_two) > 0
    cells = []
    for cell_y in range(patch_y):
        for cell_x in range(patch_x):
            total = one.new_zeros(shape[0], *shape[3:])
            for ky in range(geometry.kernel_size[0]):
                for kx in range(geometry.kernel_size[1]):
                    y, x = ky * geometry.dilation[0], kx * geometry.dilation[1]
                    place_one = (y, x, shape[3:], geometry.stride)
                    place_two = (y + step_y * cell_y, x + step_x * cell_x, shape[3:], geometry.stride)
                    # zero in the margin times a value that is not finite would be NaN
                    window_one = _window(one, *place_one).where(_window(inside_two, *place_two), 0)
                    window_two = _window(two, *place_two).where(_window(inside_one, *place_one), 0)
                    total = total + (window_one * window_two).sum(dim=1)
            cells.append(total)
    return torch.stack(cells, dim=1).view(shape)


def _window(padded: Tensor, top: int, left: int, size: tuple[int, ...], stride: tuple[int, int]) -> Tensor:
    bottom, right = top + (size[0] - 1) * stride[0] + 1, left + (size[1] - 1) * stride[1] + 1
    return padded[:, :, top : bottom : stride[0], left : right : stride[1]]
