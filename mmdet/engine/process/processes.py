"""Data-parallel processes: who this one is, how it meets the others and leaves them.

NCCL between GPUs, gloo between CPU processes and for what the hosts of GPUs tell each other. What they exchange once
they have met is in mmdet.ops.collectives.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

from mmdet.engine.process.devices import pick_device
from mmdet.errors import UserError

# A process that fails is noticed by whoever started it, so the timeout only has to exceed the longest validation.
TIMEOUT = timedelta(hours=6)
DEFAULT_PORT = 29500  # torch.distributed's own default


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
