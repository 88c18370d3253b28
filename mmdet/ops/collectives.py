"""Exchange between the processes of a distributed run: sums, means, rows and objects. With one process nothing changes.

Every process must make the same calls in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

Value = TypeVar("Value")


def world_size() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return the index of this process."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def sum_over_ranks(tensor: Tensor) -> Tensor:
    """Return the sum of a tensor over all processes, without gradient.

    Shapes must be equal; the argument is not changed.
    """
    total = tensor.detach().clone()
    if world_size() > 1:
        dist.all_reduce(total)
    return total


def gather_sizes(size: int) -> list[int]:
    """Return every process's `size`, by rank. The hosts exchange it (gloo), so that none waits for its device."""
    if world_size() == 1:
        return [size]
    sizes = torch.zeros(world_size(), dtype=torch.int64)
    sizes[rank()] = size
    return sum_over_ranks(sizes).tolist()


def gather_over_ranks(tensor: Tensor, sizes: list[int] | None = None) -> Tensor:
    """Concatenate the rows (n, ...) of all processes in the order of ranks. n may differ or be zero.

    `sizes` is what `gather_sizes` returns for n, if already known. Gradients flow only to the process's own rows. If
    every process computes the same loss from gathered rows, each has only a part of the gradient, and DDP's mean of
    these parts is too small by the factor of the world size: pass such a loss through `sum_gradient_over_ranks`.
    """
    if world_size() == 1:
        return tensor
    sizes = gather_sizes(len(tensor)) if sizes is None else sizes
    padded = tensor.new_zeros(max(sizes), *tensor.shape[1:])
    padded[: len(tensor)] = tensor.detach()
    parts = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(parts, padded)
    rows = [part[:size] for part, size in zip(parts, sizes, strict=True)]
    rows[rank()] = tensor
    return torch.cat(rows)


def sum_gradient_over_ranks(loss: Tensor) -> Tensor:
    """Return a loss with its gradient multiplied by the world size: DDP's mean of gradients becomes their sum."""
    return loss + (world_size() - 1) * (loss - loss.detach())


def average_over_ranks(tensors: Sequence[Tensor]) -> None:
    """Replace tensors in place by their means over all processes, in one exchange."""
    if world_size() == 1:
        return
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    dist.all_reduce(flat)
    flat /= world_size()
    parts = flat.split([tensor.numel() for tensor in tensors])
    torch._foreach_copy_(list(tensors), [part.view_as(old) for part, old in zip(parts, tensors, strict=True)])


def largest_over_ranks(value: float, device: torch.device) -> Tensor:
    """Return the maximum over all processes of a scalar on the device. The host does not wait for it."""
    largest = torch.full((), float(value), device=device)
    if world_size() > 1:
        dist.all_reduce(largest, op=dist.ReduceOp.MAX)
    return largest


def gather_objects(value: Value) -> list[Value]:
    """Return every process's value, by rank; it can be any object that pickle supports."""
    if world_size() == 1:
        return [value]
    values: list[Value] = [value] * world_size()
    dist.all_gather_object(values, value)
    return values


def barrier() -> None:
    """Wait until every process has called this function."""
    if world_size() > 1:
        on_gpus = "nccl" in str(dist.get_backend_config())
        dist.barrier(device_ids=[torch.cuda.current_device()] if on_gpus else None)
