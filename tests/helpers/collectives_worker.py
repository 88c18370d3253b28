"""What each of the processes of test_collectives.py does; in a file of its own, so that they can import it."""

import torch
import torch.distributed as dist

from mmdet.ops.collectives import (
    average_over_ranks,
    barrier,
    gather_objects,
    gather_over_ranks,
    gather_sizes,
    largest_over_ranks,
    rank,
    sum_gradient_over_ranks,
    sum_over_ranks,
    world_size,
)


def rows_of(index: int, count: int) -> torch.Tensor:
    return torch.arange(count * 2.0).view(count, 2) + 10 * index


def run(index: int, count: int, folder: str) -> None:
    """Call every collective and save what it returns."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/init", rank=index, world_size=count)
    summand = torch.tensor([index + 1.0, 5.0], requires_grad=True)
    uneven = rows_of(index, 3 - 3 * index).requires_grad_()
    gathered = gather_over_ranks(uneven)
    loss = sum_gradient_over_ranks(gathered.square().sum())
    loss.backward()
    gradients = [torch.full((2, 2), float(index)), torch.tensor([3.0 + index])]
    average_over_ranks(gradients)
    barrier()
    found = {
        "place": (rank(), world_size()),
        "sum": sum_over_ranks(summand),
        "summand": summand.detach(),
        "sizes": gather_sizes(4 + index),
        "gathered": gathered.detach(),
        "gradient": uneven.grad,
        "loss": loss.detach(),
        "notes": gather_over_ranks(torch.full((index + 1,), index)),
        "means": gradients,
        "largest": largest_over_ranks(-float(index), torch.device("cpu")),
        "objects": gather_objects({"rank": index, "name": None}),
        "nothing": gather_over_ranks(torch.zeros(0, 3)),
    }
    torch.save(found, f"{folder}/{index}.pt")
    dist.destroy_process_group()
