"""Data-parallel processes: who this one is, which device it uses, and how it meets the others.

NCCL between GPUs, gloo between CPU processes and for what the hosts of GPUs tell each other.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import cv2
import torch
import torch.distributed as dist
from torch import Tensor, nn

from mmdet.errors import UserError

Module = TypeVar("Module", bound=nn.Module)

# A process that fails is noticed by whoever started it, so the timeout only has to exceed the longest validation.
TIMEOUT = timedelta(hours=6)
DEFAULT_PORT = 29500  # torch.distributed's own default
_RESIZE_STRIPES = 6  # that cv2 cuts a frame of 480 x 864 into: one each 2^16 pixels (OpenCV, resize.cpp)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """A process among all: `rank` of `world_size`, `local_rank` on its machine."""

    rank: int
    local_rank: int
    world_size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and talks to the user."""
        return self.rank == 0


def available_cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pick_device(local_rank: int) -> torch.device:
    """Return the GPU of a local rank, or the CPU where there is no GPU. Raises UserError if GPUs are too few."""
    count = torch.cuda.device_count()
    if count == 0:
        return torch.device("cpu")
    if local_rank >= count:
        raise UserError(f"process {local_rank} of this machine has no GPU of its own: {count} here; start fewer")
    return torch.device("cuda", local_rank)


def connect(rank: int, local_rank: int, world_size: int, init_method: str = "env://") -> Ranks:
    """Take this process's device and, if there are others, meet them at `init_method` (a torch.distributed URL)."""
    device = pick_device(local_rank)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if world_size > 1:
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
            init_method=init_method,
            rank=rank,
            world_size=world_size,
            timeout=TIMEOUT,
            device_id=device if device.type == "cuda" else None,
        )
    return Ranks(rank=rank, local_rank=local_rank, world_size=world_size, device=device)


def connect_from_environment(launcher: str) -> Ranks:
    """Join the processes that torchrun ("pytorch") or srun ("slurm") started. Raises UserError outside of them."""
    if launcher == "slurm":
        os.environ.update(slurm_rendezvous(os.environ))
        # with one GPU bound to each task every task sees its own as number 0
        local_rank = 0 if torch.cuda.device_count() == 1 else _number(os.environ, "SLURM_LOCALID", launcher)
        rank, world_size = (_number(os.environ, name, launcher) for name in ("SLURM_PROCID", "SLURM_NTASKS"))
    else:
        rank, local_rank, world_size = (
            _number(os.environ, name, launcher) for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE")
        )
    return connect(rank, local_rank, world_size)


def slurm_rendezvous(environment: Mapping[str, str]) -> dict[str, str]:
    """Return MASTER_ADDR and MASTER_PORT of a Slurm step: as set by the user, else its first node and a free choice."""
    address = environment.get("MASTER_ADDR")
    if address is None and "SLURM_JOB_NODELIST" in environment:
        command = ["scontrol", "show", "hostnames", environment["SLURM_JOB_NODELIST"]]
        try:
            address = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0]
        except (OSError, subprocess.CalledProcessError, IndexError) as error:
            raise UserError("--launcher slurm: scontrol names no first node; set MASTER_ADDR to its name") from error
    if address is None:
        raise UserError("--launcher slurm: SLURM_JOB_NODELIST is not set; start with srun, or set MASTER_ADDR")
    # jobs that share a node need ports of their own
    port = DEFAULT_PORT + int(environment.get("SLURM_JOB_ID", "0")) % 1000
    return {"MASTER_ADDR": address, "MASTER_PORT": environment.get("MASTER_PORT", str(port))}


def _number(environment: Mapping[str, str], name: str, launcher: str) -> int:
    starter = "srun" if launcher == "slurm" else "torchrun"
    if not environment.get(name, "").isdigit():
        raise UserError(f"--launcher {launcher}: {name} is not set; start with {starter}, or leave --launcher out")
    return int(environment[name])


def disconnect() -> None:
    """Leave the other processes."""
    if dist.is_initialized():
        dist.destroy_process_group()


def limit_threads(device: torch.device, wanted: int | None = None) -> None:
    """Set the number of this process's threads for CPU work; by default it is one beside a GPU, else left alone.

    What is computed beside a GPU is small, and threads that wait for more of it take processors from the workers: with
    one for each of 32 processors a frame's tracking takes 5 ms instead of half of one. The few of OpenCV resize the
    frames of a stream and rest otherwise; a loader's workers set their own.
    """
    if wanted is not None:
        torch.set_num_threads(wanted)
    elif device.type == "cuda":
        torch.set_num_threads(1)
        cv2.setNumThreads(min(_RESIZE_STRIPES, available_cores()))


def place(model: Module, device: torch.device) -> Module:
    """Move a model to its device, on the CPU with channels last: convolutions are a fifth faster there that way."""
    model = model.to(device)
    return model.to(memory_format=torch.channels_last) if device.type == "cpu" else model


def barrier(ranks: Ranks) -> None:
    """Wait until every process is here."""
    if ranks.world_size > 1:
        dist.barrier(device_ids=[ranks.device.index] if ranks.device.type == "cuda" else None)


def gather_objects(ranks: Ranks, value: Any) -> list[Any]:
    """Return every process's value, by rank."""
    values: list[Any] = [value]
    if ranks.world_size > 1:
        values = [None] * ranks.world_size
        dist.all_gather_object(values, value)
    return values


def largest_over_ranks(ranks: Ranks, value: float) -> Tensor:
    """Return the largest of all processes' values, a scalar on the device; the host does not wait for it."""
    largest = torch.full((), float(value), device=ranks.device)
    if ranks.world_size > 1:
        dist.all_reduce(largest, op=dist.ReduceOp.MAX)
    return largest
