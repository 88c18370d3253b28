"""Spatial correlation as a function: check the arguments and call the device's kernel or plain torch.

Under autocast maps in float32, float16 and bfloat16 are cast to autocast's dtype first, as for a matrix product; sums
are always float32.
"""

from __future__ import annotations

import functools
import logging

import torch
from torch import Tensor

from mmdet.ops.correlation import kernels
from mmdet.ops.correlation.geometry import Pair, make_geometry
from mmdet.ops.correlation.reference import reference_correlation

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
AUTOCAST = ("cpu", "cuda")

logger = logging.getLogger(__name__)


def spatial_correlation_sample(
    input1: Tensor,
    input2: Tensor,
    kernel_size: int | Pair = 1,
    patch_size: int | Pair = 1,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    dilation: int | Pair = 1,
    dilation_patch: int | Pair = 1,
) -> Tensor:
    """Compare each window of map one with the windows of map two around the same position.

    Maps (B, C, H, W) give (B, PH, PW, OH, OW): the product of both windows, summed over channels and window.
    Differentiable once. Raises ValueError that names a wrong argument.

    `input1`, `input2`: the maps, with any strides, in float32, float64, float16 or bfloat16
    `kernel_size`, `dilation`: size of a window, and the distance of its cells; like all that follow ints or pairs
        (height, width)
    `stride`, `padding`: distance of the windows of map one, and zeros around both maps; outside of them all is zero
    `patch_size`, `dilation_patch`: number of windows of map two, and their distance: patch cell p moves the window by
        `dilation_patch * p - dilation_patch * (patch_size - 1) // 2`
    """
    geometry = make_geometry(kernel_size, patch_size, stride, padding, dilation, dilation_patch)
    input1, input2 = _autocast(input1), _autocast(input2)
    _check(input1, input2)
    geometry.output_size((input1.shape[2], input1.shape[3]))
    device = input1.device.type
    if device in kernels.COMPILED_FOR:
        return kernels.compiled_correlation(input1, input2, geometry)
    if not torch.compiler.is_compiling():
        announce_plain_torch(device)
    return reference_correlation(input1, input2, geometry)


def _autocast(maps: Tensor) -> Tensor:
    device = maps.device.type
    floats = maps.dtype in (torch.float32, torch.float16, torch.bfloat16)
    if device in AUTOCAST and floats and torch.is_autocast_enabled(device):
        return maps.to(torch.get_autocast_dtype(device))
    return maps


def _check(input1: Tensor, input2: Tensor) -> None:
    if input1.dim() != 4 or input1.shape != input2.shape:
        raise ValueError(
            f"input1 and input2 must be two maps of one shape (B, C, H, W), "
            f"got {tuple(input1.shape)} and {tuple(input2.shape)}"
        )
    if input1.dtype != input2.dtype or input1.dtype not in DTYPES:
        raise ValueError(
            f"input1 and input2 must have one dtype of float32, float64, float16 and bfloat16, "
            f"got {input1.dtype} and {input2.dtype}"
        )
    if input1.device != input2.device:
        raise ValueError(f"input1 and input2 must be on one device, got {input1.device} and {input2.device}")


@functools.cache
def announce_plain_torch(device: str) -> None:
    """Warn, once a device, that there are no kernels for it."""
    logger.warning("spatial correlation on %s runs in plain torch, slowly: `bash compile.sh` builds kernels", device)
