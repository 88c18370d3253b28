"""A training step's network as CUDA graphs: one launch each for forward and backward instead of thousands.

A graph belongs to one size of input and is captured when that size comes for the second time; the first time runs as
usual and warms up libraries and compilers. Losses and the optimiser stay outside: sizes of truths vary, and so does
what processes exchange. Knows nothing of what losses are. Source: torch's notes on CUDA graphs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from mmdet.structures import ClipBatch, HeadOutputs

MOST_GRAPHS = 4  # each keeps inputs, outputs, gradients: 1.2 GiB with ViT-B, 4 pairs of 480 x 864

Losses = dict[str, Tensor]
# (outputs, batch) to the figures of a step and the scalar whose gradient is wanted
Weigh = Callable[[HeadOutputs, ClipBatch], tuple[Losses, Tensor]]


def _capture(graph: torch.cuda.CUDAGraph, pool: Any) -> torch.cuda.graph:
    # "thread_local": the loader's thread may pin memory meanwhile, and NCCL's ask for events
    return torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local")


class NetworkGraph:
    """Forward and backward of a model for one size of input, captured as it is made; `pool` is shared by all of them.

    Nothing runs while it is captured. Replays have to alternate: forward, backward, forward, of whichever graph.
    """

    def __init__(self, model: nn.Module, images: Tensor, valid: Tensor, dtype: torch.dtype, pool: Any) -> None:
        self._images, self._valid = torch.empty_like(images), torch.empty_like(valid)
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._forward, self._backward = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
        with _capture(self._forward, pool), torch.autocast("cuda", dtype, enabled=dtype != torch.float32):
            outputs: HeadOutputs = model(self._images, self._valid)
        tensors = {field.name: getattr(outputs, field.name) for field in fields(outputs)}
        names = [name for name, value in tensors.items() if isinstance(value, Tensor) and value.requires_grad]
        self._output_grads = [torch.zeros_like(tensors[name]) for name in names]
        with _capture(self._backward, pool):
            found = torch.autograd.grad(
                [tensors[name] for name in names], self._parameters, self._output_grads, allow_unused=True
            )
            pairs = zip(self._parameters, found, strict=True)
            self._grads = [_laid_out_like(parameter, grad) for parameter, grad in pairs]
        self.leaves = [tensors[name].detach().requires_grad_() for name in names]
        # what a loss learns from are leaves; all of it stands until the next replay
        self.outputs = replace(outputs, **dict(zip(names, self.leaves, strict=True)))

    def forward(self, images: Tensor, valid: Tensor) -> None:
        """Compute `outputs`."""
        self._images.copy_(images, non_blocking=True)
        self._valid.copy_(valid, non_blocking=True)
        self._forward.replay()

    def learn(self, total: Tensor) -> None:
        """Find the gradient of a scalar with regard to the outputs, for `backward`."""
        grads = torch.autograd.grad(total, self.leaves, allow_unused=True)
        for target, found in zip(self._output_grads, grads, strict=True):
            if found is None:
                target.zero_()
            else:
                target.copy_(found)

    def backward(self) -> None:
        """Carry what was learned back to the parameters, whose `grad` is set, not added to."""
        self._backward.replay()
        for parameter, grad in zip(self._parameters, self._grads, strict=True):
            parameter.grad = grad


def _laid_out_like(parameter: Tensor, grad: Tensor | None) -> Tensor | None:
    """Return the gradient with the strides of its parameter: fused optimisers ask for them."""
    if grad is None or grad.stride() == parameter.stride():
        return grad
    return torch.empty_like(parameter).copy_(grad)


class TrainingGraphs:
    """The graphs of a model, at most MOST_GRAPHS. A capture that fails is reported and not retried."""

    def __init__(self, model: nn.Module, dtype: torch.dtype, weigh: Weigh) -> None:
        self.model, self.dtype, self.weigh = model, dtype, weigh
        self.networks: dict[tuple[int, ...], NetworkGraph] = {}
        self._seen: set[tuple[int, ...]] = set()
        self._pool: Any = None
        self._failed = False

    def run(self, batch: ClipBatch) -> tuple[HeadOutputs, Losses] | None:
        """Set the parameters' gradients and return outputs and losses, or None where there is no graph for the batch.

        The outputs stand until the next run.
        """
        network = self._network_for(batch)
        if network is None:
            return None
        network.forward(batch.images, batch.valid)
        losses, total = self.weigh(network.outputs, batch)
        network.learn(total)
        network.backward()
        return network.outputs, losses

    def _network_for(self, batch: ClipBatch) -> NetworkGraph | None:
        size = tuple(batch.images.shape)
        if size not in self.networks and size in self._seen and len(self.networks) < MOST_GRAPHS:
            self._capture(size, batch)
        self._seen.add(size)
        return self.networks.get(size)

    def _capture(self, size: tuple[int, ...], batch: ClipBatch) -> None:
        if self._failed:
            return
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        try:
            self.networks[size] = NetworkGraph(self.model, batch.images, batch.valid, self.dtype, self._pool)
        except RuntimeError as error:  # running out of memory is one, too
            self._failed = True
            first = str(error.__context__ or error).partition("\n")[0]  # ending a capture that failed fails, too
            warnings.warn(f"no CUDA graph, steps are launched kernel by kernel: {first}", stacklevel=2)


def average_over_ranks(gradients: Sequence[Tensor], world_size: int) -> None:
    """Replace the gradients by their means over all processes, in one exchange."""
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    torch.distributed.all_reduce(flat)
    flat /= world_size
    parts = flat.split([gradient.numel() for gradient in gradients])
    torch._foreach_copy_(list(gradients), [part.view_as(grad) for part, grad in zip(parts, gradients, strict=True)])
