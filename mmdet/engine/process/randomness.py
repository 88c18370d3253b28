"""The random generators of a process: seed, save and restore them; and deterministic computation on a GPU.

The dataset draws from (seed, epoch, item) only; these generators serve the initialisation of weights and random parts
of a model.
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
    """Seed the generators of Python and torch, including those of GPUs."""
    random.seed(seed)
    torch.manual_seed(seed)


def compute_deterministically() -> None:
    """Make runs on a GPU reproducible to the last bit, for the rest of this process. Call it before the GPU is used.

    Torch then uses deterministic kernels and raises for operations that have none.
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
    """Restore a state returned by `random_state`."""
    random.setstate(state.python)
    torch.set_rng_state(state.torch)
    if state.cuda is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state.cuda)
