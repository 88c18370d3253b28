"""The state of the random generators of a process, seeded, saved and restored; and computing alike in every run.

The dataset draws from (seed, epoch, item) alone; these generators serve initialisation and parts of a model that draw.
"""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


def seed_everything(seed: int) -> None:
    """Seed Python's and torch's generators, those of GPUs included."""
    random.seed(seed)
    torch.manual_seed(seed)


def compute_deterministically() -> None:
    """Let equal runs on a GPU be equal to the last bit, for the rest of this process; call it before the GPU works.

    Torch then takes deterministic kernels where there is a choice, and raises for operations that have none.
    """
    # one of the two values that torch documents: eight work spaces of 4 MiB; cuBLAS reads it when it starts
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.use_deterministic_algorithms(True)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RandomState:
    """The state of a process's generators."""

    python: tuple[Any, ...]  # as random.getstate returns it
    torch: Tensor
    cuda: Tensor | None  # of the process's GPU

    def to_plain(self) -> dict[str, Any]:
        """Return tensors and plain values, as a checkpoint holds them."""
        plain: dict[str, Any] = {"python": self.python, "torch": self.torch}
        return plain if self.cuda is None else {**plain, "cuda": self.cuda}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> RandomState:
        """Read what a checkpoint holds. Raises LookupError, TypeError or ValueError for anything else."""
        version, values, gauss = plain["python"]
        return cls(python=(version, tuple(values), gauss), torch=plain["torch"], cuda=plain.get("cuda"))


def random_state() -> RandomState:
    """Return the generators' state."""
    return RandomState(
        python=random.getstate(),
        torch=torch.get_rng_state(),
        cuda=torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
    )


def restore_random_state(state: RandomState) -> None:
    """Take up a state returned by `random_state`."""
    random.setstate(state.python)
    torch.set_rng_state(state.torch)
    if state.cuda is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state.cuda)
