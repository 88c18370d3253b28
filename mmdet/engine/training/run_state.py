"""What has to be saved of a run so that it resumes exactly: weights, optimiser, loss scale, random generators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from mmdet.engine.checkpoints.weights import Weights, check_finite, load_weights
from mmdet.engine.process.endings import RunEnded
from mmdet.engine.process.processes import Ranks
from mmdet.engine.process.randomness import random_state, restore_random_state
from mmdet.engine.training.optimization.optimizer_state import restore_optimizer
from mmdet.ops.collectives import gather_objects


def capture_state(
    model: nn.Module, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler, ranks: Ranks
) -> dict[str, Any]:
    """Return the state as tensors and plain values; all processes take part.

    Raises RunEnded if a weight is not finite: such a state is never saved.
    """
    weights = model.state_dict()
    spoilt = [key for key, value in weights.items() if value.is_floating_point() and not value.isfinite().all()]
    if spoilt:
        raise RunEnded(
            f"nothing was saved: {len(spoilt)} tensors of the model are not finite, the first is {spoilt[0]}"
        )
    return {
        "model": weights,
        "optimizer": optimizer.state_dict(),
        "scaler": scaler.state_dict(),
        "random_states": gather_objects(random_state()),
    }


def restore_state(
    state: dict[str, Any],
    source: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    ranks: Ranks,
) -> None:
    """Take up a captured state. Raises UserError if it does not fit.

    Learning rates and the like stay the config's, and random generators as they are in another number of processes.
    """
    check_finite(state["model"], source)
    load_weights(model, Weights(tensors=state["model"], source=str(source)), None)
    restore_optimizer(optimizer, state["optimizer"], source)
    if scaler.is_enabled() and state["scaler"]:
        scaler.load_state_dict(state["scaler"])
    if len(state["random_states"]) == ranks.world_size:
        restore_random_state(state["random_states"][ranks.rank])
