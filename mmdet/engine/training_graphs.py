"""A training step's network and losses as CUDA graphs: one launch each, where the host would launch thousands.

A graph belongs to one size of input and is captured when that size comes for the second time; the first time runs as
usual and warms up libraries and compilers. The optimiser stays outside, and among several processes so do the losses:
what they exchange has sizes that vary. Knows nothing of what losses are. Source: torch's notes on CUDA graphs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from mmdet.engine.capture import capture, why_it_failed
from mmdet.structures import ClipBatch, HeadOutputs, PaddedTruth

# of the network; each keeps inputs, outputs, gradients: 1.2 GiB with ViT-B, 4 pairs of 480 x 864
FEW_GRAPHS = 4
MOST_GRAPHS = 16  # as long as more than half of the GPU's memory is free
MOST_LOSS_GRAPHS = 16  # of one size of images; each keeps its truths

Size = tuple[int, ...]  # of images, or numbers of objects
Losses = dict[str, Tensor]
Graph = TypeVar("Graph")
# (outputs, batch) to the figures of a step and the scalar whose gradient is wanted
Weigh = Callable[[HeadOutputs, ClipBatch], tuple[Losses, Tensor]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureSpace:
    """Where graphs of one kind are captured: what is in the same space may overwrite what others left there.

    A stream of its own belongs to it, as cuBLAS keeps a workspace for every thread and stream. One that is taken in a
    backward pass may lie where the forward pass keeps activations; used by a graph that runs between the two, it
    spoils them.
    """

    pool: Any = field(default_factory=torch.cuda.graph_pool_handle)
    stream: torch.cuda.Stream = field(default_factory=torch.cuda.Stream)

    def capture(self, graph: torch.cuda.CUDAGraph) -> torch.cuda.graph:
        """Return the context in which everything launched goes into the graph."""
        return capture(graph, pool=self.pool, stream=self.stream)


class NetworkGraph:
    """Forward and backward of a model for one size of input, captured as it is made; all of them share a space.

    Nothing runs while it is captured. Replays have to alternate: forward, backward, forward, of whichever graph.
    """

    def __init__(
        self, model: nn.Module, images: Tensor, valid: Tensor, dtype: torch.dtype, space: CaptureSpace
    ) -> None:
        self.images, self.valid = torch.empty_like(images), torch.empty_like(valid)
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._forward, self._backward = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
        with space.capture(self._forward), torch.autocast("cuda", dtype, enabled=dtype != torch.float32):
            outputs: HeadOutputs = model(self.images, self.valid)
        tensors = {part.name: getattr(outputs, part.name) for part in fields(outputs)}
        names = [name for name, value in tensors.items() if isinstance(value, Tensor) and value.requires_grad]
        self._output_grads = [torch.zeros_like(tensors[name]) for name in names]
        with space.capture(self._backward):
            found = torch.autograd.grad(
                [tensors[name] for name in names], self._parameters, self._output_grads, allow_unused=True
            )
            pairs = zip(self._parameters, found, strict=True)
            self._grads = [_laid_out_like(parameter, grad) for parameter, grad in pairs]
        self.leaves = [tensors[name].detach().requires_grad_() for name in names]
        # what a loss learns from are leaves; all of it stands until the next replay
        self.outputs = replace(outputs, **dict(zip(names, self.leaves, strict=True)))
        self.loss_graphs: dict[Size, LossGraph] = {}
        self.loss_sizes: set[Size] = set()

    def forward(self, images: Tensor, valid: Tensor) -> None:
        """Compute `outputs`."""
        self.images.copy_(images, non_blocking=True)
        self.valid.copy_(valid, non_blocking=True)
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


class LossGraph:
    """The losses of a network graph's outputs and what is learned from them, for one size of truth.

    `space` must not be the network's: there the losses would be put where its backward pass reads. Tensors are those of
    the batch at hand, but `metas` are captured: `weigh` may not depend on them.
    """

    def __init__(self, network: NetworkGraph, weigh: Weigh, batch: ClipBatch, space: CaptureSpace) -> None:
        self._truth = batch.truth_of_pairs.each(torch.clone)
        self._graph = torch.cuda.CUDAGraph()
        batch = replace(batch, images=network.images, valid=network.valid, truth=self._truth)
        with space.capture(self._graph):
            losses, total = weigh(network.outputs, batch)
            network.learn(total)
        self._losses = {name: value.detach() for name, value in losses.items()}

    def replay(self, truth: PaddedTruth) -> Losses:
        """Return the losses; they stand until the next replay."""
        for part in fields(truth):
            getattr(self._truth, part.name).copy_(getattr(truth, part.name), non_blocking=True)
        self._graph.replay()
        return self._losses


def _laid_out_like(parameter: Tensor, grad: Tensor | None) -> Tensor | None:
    """Return the gradient with the strides of its parameter: fused optimisers ask for them."""
    if grad is None or grad.stride() == parameter.stride():
        return grad
    return torch.empty_like(parameter).copy_(grad)


class TrainingGraphs:
    """The graphs of a model. `weigh` is captured, too, if it exchanges nothing with other processes (`with_losses`).

    A capture that fails is reported and not retried.
    """

    def __init__(self, model: nn.Module, dtype: torch.dtype, weigh: Weigh, with_losses: bool) -> None:
        self.model, self.dtype, self.weigh, self.with_losses = model, dtype, weigh, with_losses
        self.networks: dict[Size, NetworkGraph] = {}
        self._seen: set[Size] = set()
        self._network_space, self._loss_space = CaptureSpace(), CaptureSpace()
        self._failed = False

    def run(self, batch: ClipBatch) -> tuple[HeadOutputs, Losses] | None:
        """Set the parameters' gradients and return outputs and losses, or None where there is no graph for the batch.

        What is returned stands until the next run.
        """
        network = self._network_for(batch)
        if network is None:
            return None
        network.forward(batch.images, batch.valid)
        graph = self._losses_for(network, batch) if self.with_losses else None
        if graph is not None:
            losses = graph.replay(batch.truth_of_pairs)
        else:
            losses, total = self.weigh(network.outputs, batch)
            network.learn(total)
        network.backward()
        return network.outputs, losses

    def _network_for(self, batch: ClipBatch) -> NetworkGraph | None:
        inputs = self.model, batch.images, batch.valid, self.dtype
        return self._get(
            self.networks,
            self._seen,
            size=tuple(batch.images.shape),
            has_room=self._has_room,
            make=lambda: NetworkGraph(*inputs, self._network_space),
        )

    def _has_room(self) -> bool:
        count = len(self.networks)
        if count < FEW_GRAPHS:
            return True
        free, total = torch.cuda.mem_get_info()
        return count < MOST_GRAPHS and free > total / 2

    def _losses_for(self, network: NetworkGraph, batch: ClipBatch) -> LossGraph | None:
        truth = batch.truth_of_pairs
        return self._get(
            network.loss_graphs,
            network.loss_sizes,
            size=(truth.valid.shape[1], truth.reference_valid.shape[1]),
            has_room=lambda: len(network.loss_graphs) < MOST_LOSS_GRAPHS,
            make=lambda: LossGraph(network, self.weigh, batch, self._loss_space),
        )

    def _get(
        self,
        graphs: dict[Size, Graph],
        seen: set[Size],
        size: Size,
        has_room: Callable[[], bool],
        make: Callable[[], Graph],
    ) -> Graph | None:
        """Return the graph of a size if there is one, or if it can be made: the size comes again, and there is room."""
        if size not in graphs and size in seen and not self._failed and has_room():
            try:
                graphs[size] = make()
            except RuntimeError as error:  # running out of memory is one, too
                self._failed = True
                reason = why_it_failed(error)
                warnings.warn(f"no CUDA graph, steps are launched kernel by kernel: {reason}", stacklevel=2)
        seen.add(size)
        return graphs.get(size)


def average_over_ranks(gradients: Sequence[Tensor], world_size: int) -> None:
    """Replace the gradients by their means over all processes, in one exchange."""
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    torch.distributed.all_reduce(flat)
    flat /= world_size
    parts = flat.split([gradient.numel() for gradient in gradients])
    torch._foreach_copy_(list(gradients), [part.view_as(grad) for part, grad in zip(parts, gradients, strict=True)])
