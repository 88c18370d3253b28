"""The state of the random generators of a process, seeded, saved and restored; and computing alike in every run.

The dataset draws from (seed, epoch, item) alone; these generators serve initialisation and parts of a model that draw.
"""

from __future__ import annotations

import os
import random
from typing import Any

import torch


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


def random_state() -> dict[str, Any]:
    """Return the generators' state as tensors and plain values."""
    state: dict[str, Any] = {"python": random.getstate(), "torch": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def restore_random_state(state: dict[str, Any]) -> None:
    """Take up a state returned by `random_state`."""
    version, values, gauss = state["python"]
    random.setstate((version, tuple(values), gauss))
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
