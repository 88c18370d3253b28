"""Register the compiled correlation as custom torch ops: shapes for tracing (fake kernels) and the gradient.

The gradient is an op too: for each map that needs a gradient it gathers the output's gradient with the other map. There
is no second derivative. Importing this module loads the library.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, library

from mmdet.ops import extension
from mmdet.ops.correlation.geometry import Geometry

# Devices with their own kernel.
COMPILED_FOR = frozenset(["cpu"] * extension.load() + ["cuda"] * extension.has_cuda_kernels())


def compiled_correlation(input1: Tensor, input2: Tensor, geometry: Geometry) -> Tensor:
    """Correlate maps (B, C, H, W) to (B, PH, PW, OH, OW) with the kernel of their device, one of COMPILED_FOR."""
    return torch.ops.memcnp.correlation(input1, input2, *geometry)


def _register() -> None:
    library.register_fake("memcnp::correlation", _fake)
    library.register_fake("memcnp::correlation_backward", _fake_backward)
    library.register_autograd("memcnp::correlation", _backward, setup_context=_save)
    library.register_autograd("memcnp::correlation_backward", _no_second_derivative)


def _fake(input1: Tensor, input2: Tensor, *pairs: Any) -> Tensor:
    return input1.new_empty(Geometry(*map(tuple, pairs)).output_shape(tuple(input1.shape)))


def _fake_backward(grad: Tensor, other: Tensor, *pairs_and_mirrored: Any) -> Tensor:
    return other.new_empty(other.shape)


def _save(ctx: Any, inputs: tuple, output: Tensor) -> None:
    input1, input2, *ctx.pairs = inputs
    ctx.save_for_backward(input1, input2)


def _backward(ctx: Any, grad: Tensor) -> tuple:
    input1, input2 = ctx.saved_tensors
    backward = torch.ops.memcnp.correlation_backward
    needs_one, needs_two = ctx.needs_input_grad[:2]
    grad1 = backward(grad, input2, *ctx.pairs, False) if needs_one else None
    grad2 = backward(grad, input1, *ctx.pairs, True) if needs_two else None
    return (grad1, grad2, *[None] * len(ctx.pairs))


def _no_second_derivative(ctx: Any, grad: Tensor) -> tuple:
    raise NotImplementedError("the compiled spatial correlation has no second derivative; differentiate it only once")


if COMPILED_FOR:
    _register()
