"""Data-parallel processes: the rank of this one, and how it connects to the others and disconnects.

Uses NCCL between GPUs, and gloo between CPU processes and for messages between the hosts of GPUs. mmdet.ops.collectives
has what they exchange afterwards.
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

# The parent notices a process that fails, so the timeout only has to exceed the longest validation.
TIMEOUT = timedelta(hours=6)
DEFAULT_PORT = 29500  # torch.distributed's own default


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """One of all processes: number `rank` of `world_size`, number `local_rank` on its machine."""

    rank: int
    local_rank: int
    world_size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and talks to the user."""
        return self.rank == 0


def connect(rank: int, local_rank: int, world_size: int, init_method: str = "env://") -> Ranks:
    """Take this process's device and connect to other processes at `init_method` (torch.distributed's URL)."""
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
        # if one GPU is bound to each task, every task sees its own as number 0
        local_rank = 0 if torch.cuda.device_count() == 1 else _number(os.environ, "SLURM_LOCALID", launcher)
        rank, world_size = (_number(os.environ, name, launcher) for name in ("SLURM_PROCID", "SLURM_NTASKS"))
    else:
        rank, local_rank, world_size = (
            _number(os.environ, name, launcher) for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE")
        )
    return connect(rank, local_rank, world_size)


def slurm_rendezvous(environment: Mapping[str, str]) -> dict[str, str]:
    """Return MASTER_ADDR and MASTER_PORT of a Slurm step.

    The user's settings come first, else its first node and a port derived from the job.
    """
    address = environment.get("MASTER_ADDR")
    if address is None and "SLURM_JOB_NODELIST" in environment:
        command = ["scontrol", "show", "hostnames", environment["SLURM_JOB_NODELIST"]]
        try:
            address = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0]
        except (OSError, subprocess.CalledProcessError, IndexError) as error:
            raise UserError("--launcher slurm: scontrol names no first node; set MASTER_ADDR to its name") from error
    if address is None:
        raise UserError("--launcher slurm: SLURM_JOB_NODELIST is not set; start with srun, or set MASTER_ADDR")
    # jobs that share a node need different ports
    port = DEFAULT_PORT + int(environment.get("SLURM_JOB_ID", "0")) % 1000
    return {"MASTER_ADDR": address, "MASTER_PORT": environment.get("MASTER_PORT", str(port))}


def _number(environment: Mapping[str, str], name: str, launcher: str) -> int:
    starter = "srun" if launcher == "slurm" else "torchrun"
    if not environment.get(name, "").isdigit():
        raise UserError(f"--launcher {launcher}: {name} is not set; start with {starter}, or leave --launcher out")
    return int(environment[name])


def disconnect() -> None:
    """Disconnect from the other processes."""
    if dist.is_initialized():
        dist.destroy_process_group()
