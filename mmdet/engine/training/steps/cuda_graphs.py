"""A training step's network and losses as CUDA graphs: one launch each instead of thousands.

A graph belongs to one size of input and is captured when that size comes for the second time; the first time runs
without a graph and warms up libraries and compilers. The optimiser stays outside. With several processes the losses
stay outside too, because they exchange tensors of varying sizes. Source: torch's notes on CUDA graphs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeGuard, TypeVar

import torch
from torch import Tensor, nn

from mmdet.engine.process.cuda_capture import NotCapturable, capture, rehearse
from mmdet.structures import ClipBatch, HeadOutputs, PaddedTruth

# graphs of the network; each keeps inputs, outputs and gradients: 1.2 GiB with ViT-B and 4 pairs of 480 x 864
FEW_GRAPHS = 4
MOST_GRAPHS = 16  # while more than half of the GPU's memory is free
MOST_LOSS_GRAPHS = 16  # per size of images; each keeps its truths

Size = tuple[int, ...]  # size of images, or numbers of objects
Losses = dict[str, Tensor]
Graph = TypeVar("Graph")
# (outputs, batch) -> the figures of a step, and the scalar to differentiate
Weigh = Callable[[HeadOutputs, ClipBatch], tuple[Losses, Tensor]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureSpace:
    """Memory in which graphs of one kind are captured. Graphs in the same space may overwrite each other's results.

    Each space has its own stream, because cuBLAS keeps one workspace per thread and stream. A workspace that is
    allocated in a backward pass may lie where the forward pass keeps activations, and a graph that runs in between and
    uses it would overwrite them.
    """

    pool: Any = field(default_factory=torch.cuda.graph_pool_handle)
    stream: torch.cuda.Stream = field(default_factory=torch.cuda.Stream)

    def capture(self, graph: torch.cuda.CUDAGraph) -> AbstractContextManager[None]:
        """Return the context in which everything launched goes into the graph."""
        return capture(graph, pool=self.pool, stream=self.stream)


class NetworkGraph:
    """Forward and backward pass of a model for one size of input, captured when the object is made.

    All share a space. Both are rehearsed first; nothing else runs during the capture. Replays must alternate between
    forward and backward, whichever graph they belong to.
    """

    def __init__(
        self, model: nn.Module, images: Tensor, valid: Tensor, dtype: torch.dtype, space: CaptureSpace
    ) -> None:
        self.images, self.valid = images.clone(), valid.clone()
        self._model, self._dtype = model, dtype
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._forward, self._backward = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
        with _unchanged(model.buffers()):
            rehearse(self._launch_both)
        with space.capture(self._forward):
            outputs, learning = self._launch_forward()
        self._output_grads = [torch.zeros_like(tensor) for tensor in learning.values()]
        with space.capture(self._backward):
            self._grads = self._launch_backward(list(learning.values()), self._output_grads)
        self.leaves = [tensor.detach().requires_grad_() for tensor in learning.values()]
        # outputs with a gradient are leaves; they stay valid until the next replay
        leaves: dict[str, Any] = dict(zip(learning, self.leaves, strict=True))
        self.outputs = replace(outputs, **leaves)
        self.loss_graphs: dict[Size, LossGraph] = {}
        self.loss_sizes: set[Size] = set()

    def _launch_forward(self) -> tuple[HeadOutputs, dict[str, Tensor]]:
        """Return the outputs, and by name those of their tensors that get a gradient."""
        with torch.autocast("cuda", self._dtype, enabled=self._dtype != torch.float32):
            outputs: HeadOutputs = self._model(self.images, self.valid)
        tensors = {part.name: getattr(outputs, part.name) for part in fields(outputs)}
        return outputs, {name: value for name, value in tensors.items() if _has_gradient(value)}

    def _launch_backward(self, outputs: Sequence[Tensor], grads: Sequence[Tensor]) -> list[Tensor | None]:
        found = torch.autograd.grad(outputs, self._parameters, grads, allow_unused=True)
        return [_laid_out_like(parameter, grad) for parameter, grad in zip(self._parameters, found, strict=True)]

    def _launch_both(self) -> None:
        learning = list(self._launch_forward()[1].values())
        self._launch_backward(learning, [torch.zeros_like(tensor) for tensor in learning])

    def forward(self, images: Tensor, valid: Tensor) -> None:
        """Compute `outputs`."""
        self.images.copy_(images, non_blocking=True)
        self.valid.copy_(valid, non_blocking=True)
        self._forward.replay()

    def learn(self, total: Tensor) -> None:
        """Compute the gradient of a scalar with respect to the outputs, for `backward`."""
        grads = torch.autograd.grad(total, self.leaves, allow_unused=True)
        for target, found in zip(self._output_grads, grads, strict=True):
            if found is None:
                target.zero_()
            else:
                target.copy_(found)

    def backward(self) -> None:
        """Propagate the gradient to the parameters. Their `grad` is set, not added to."""
        self._backward.replay()
        for parameter, grad in zip(self._parameters, self._grads, strict=True):
            parameter.grad = grad


class LossGraph:
    """The losses of a network graph's outputs and their gradients, for one size of truth.

    `space` must not be the network's: the losses would overwrite memory that its backward pass reads. Tensors of the
    current batch are used, but `metas` are fixed at the capture: `weigh` must not depend on them.
    """

    def __init__(self, network: NetworkGraph, weigh: Weigh, batch: ClipBatch, space: CaptureSpace) -> None:
        self._truth = batch.truth_of_pairs.map_tensors(torch.clone)
        self._graph = torch.cuda.CUDAGraph()
        batch = replace(batch, images=network.images, valid=network.valid, truth=self._truth)

        def launch() -> Losses:
            losses, total = weigh(network.outputs, batch)
            network.learn(total)
            return losses

        rehearse(launch)
        with space.capture(self._graph):
            losses = launch()
        self._losses = {name: value.detach() for name, value in losses.items()}

    def replay(self, truth: PaddedTruth) -> Losses:
        """Return the losses; they are valid until the next replay."""
        self._truth.copy_from(truth)
        self._graph.replay()
        return self._losses


def _has_gradient(value: object) -> TypeGuard[Tensor]:
    return isinstance(value, Tensor) and value.requires_grad


@contextmanager
def _unchanged(buffers: Iterable[Tensor]) -> Iterator[None]:
    """Restore buffers, such as running statistics, that a forward pass may change."""
    kept = [(buffer, buffer.clone()) for buffer in buffers]
    try:
        yield
    finally:
        for buffer, before in kept:
            buffer.copy_(before)


def _laid_out_like(parameter: Tensor, grad: Tensor | None) -> Tensor | None:
    """Return the gradient with the strides of its parameter, which fused optimisers require."""
    if grad is None or grad.stride() == parameter.stride():
        return grad
    return torch.empty_like(parameter).copy_(grad)


class TrainingGraphs:
    """The graphs of a model.

    With `with_losses` the function `weigh` is captured too; it must not communicate with other processes. If a capture
    is impossible, that is reported once and not tried again. Raises CaptureFailed if the capture breaks the process.
    """

    def __init__(self, model: nn.Module, dtype: torch.dtype, weigh: Weigh, with_losses: bool) -> None:
        self.model, self.dtype, self.weigh, self.with_losses = model, dtype, weigh, with_losses
        self.networks: dict[Size, NetworkGraph] = {}
        self._seen: set[Size] = set()
        self._network_space, self._loss_space = CaptureSpace(), CaptureSpace()
        self._failed = False

    def run(self, batch: ClipBatch) -> tuple[HeadOutputs, Losses] | None:
        """Set the parameters' gradients and return outputs and losses, or None if there is no graph for the batch.

        The result is valid until the next run.
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
            size=truth.row_counts,
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
        """Return the graph of a size. Make it if the size has come before and there is room; else return None."""
        if size not in graphs and size in seen and not self._failed and has_room():
            try:
                graphs[size] = make()
            except (NotCapturable, torch.OutOfMemoryError) as reason:
                self._failed = True
                cause = str(reason).partition("\n")[0]
                warnings.warn(f"no CUDA graph, steps are launched kernel by kernel: {cause}", stacklevel=2)
        seen.add(size)
        return graphs.get(size)
