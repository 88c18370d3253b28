"""Optimisers, registered by name, and a step that can be refused on the device.

Only parameters that require a gradient are optimised. Every group keeps its full learning rate as `initial_lr`, which
the schedule's factor multiplies.

`paramwise` sets learning rates and weight decays of parameters by name, see parameter_groups.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from mmdet.config import RunConfig
from mmdet.config.ranges import Amount, Factor, Fraction
from mmdet.engine.training.optimization.named_optimizers import prepared
from mmdet.engine.training.optimization.parameter_groups import grouped
from mmdet.errors import UserError
from mmdet.registry import OPTIMIZERS


def build_optimizer(model: nn.Module, settings: dict[str, Any]) -> torch.optim.Optimizer:
    """Build the optimiser that a config names, for a model that is already on its device."""
    try:
        optimizer: torch.optim.Optimizer = OPTIMIZERS.build({**settings, "model": model})
    except (TypeError, ValueError) as error:
        raise UserError(f"config.optimizer: {error}") from error
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    return optimizer


def scale_learning_rate(config: RunConfig, processes: int) -> tuple[RunConfig, str]:
    """Return the config with its learning rate times pairs per step / schedule.base_batch_size, and a line about it.

    Raises UserError if the config has no `schedule.base_batch_size`.
    """
    base, rate = config.schedule.base_batch_size, config.optimizer.get("lr")
    if base is None or base < 1 or rate is None:
        raise UserError(
            "--auto-scale-lr: the config needs optimizer.lr and schedule.base_batch_size, the pairs per step for "
            f"which it is meant; they are {rate} and {base}. Set them, e.g. --cfg-options schedule.base_batch_size=16"
        )
    pairs = config.data.train.batch_size * config.runtime.accumulate * processes
    scaled = rate * pairs / base
    note = (
        f"--auto-scale-lr: learning rate {rate:g} for {base} pairs per step -> {scaled:g} for {pairs} (processes "
        f"{processes} x batch size {config.data.train.batch_size} x accumulate {config.runtime.accumulate})"
    )
    return replace(config, optimizer={**config.optimizer, "lr": scaled}), note


@OPTIMIZERS.register_module(name="SGD")
def sgd(
    model: nn.Module,
    lr: Amount,
    momentum: Fraction = 0.9,
    weight_decay: Amount = 0.0,
    nesterov: bool = False,
    paramwise: Sequence[Mapping[str, Any]] = (),
) -> torch.optim.Optimizer:
    """Return SGD over all trainable parameters. The recipe uses lr 1e-3 and weight_decay 1e-4 (MODEL.md 6)."""
    groups = grouped(model, lr, weight_decay, None, False, paramwise)
    optimizer = torch.optim.SGD(
        groups.listed, lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov, fused=groups.on_gpu
    )
    return prepared(optimizer)


@OPTIMIZERS.register_module(name="AdamW")
def adamw(
    model: nn.Module,
    lr: Amount,
    weight_decay: Amount = 0.05,
    betas: tuple[Fraction, Fraction] = (0.9, 0.999),
    layer_decay: Factor | None = None,
    no_decay_norm: bool = True,
    paramwise: Sequence[Mapping[str, Any]] = (),
) -> torch.optim.Optimizer:
    """Return AdamW over all trainable parameters of the model.

    `lr`, `weight_decay`, `betas`: the learning rate, weight decay and averaging rates of AdamW
    `layer_decay`: factor by which the learning rate falls from each layer of the backbone to the one before; all
        parameters outside of the backbone count as its last layer
    `no_decay_norm`: no weight decay for biases and normalisation weights
    `paramwise`: other learning rates and weight decays by parameter name, see parameter_groups.py
    """
    groups = grouped(model, lr, weight_decay, layer_decay, no_decay_norm, paramwise)
    return torch.optim.AdamW(groups.listed, lr=lr, betas=tuple(betas), fused=groups.on_gpu)  # type: ignore[arg-type]


def step_if(finite: Tensor, optimizer: torch.optim.Optimizer) -> None:
    """Step if `finite` (a bool scalar on the parameters' device) is true, else leave parameters and state unchanged.

    Fused optimisers decide on the device, as with torch's GradScaler, so that the host does not wait.
    """
    if getattr(optimizer, "_step_supports_amp_scaling", False):
        optimizer.grad_scale = None  # type: ignore[attr-defined]  # gradients are already unscaled
        optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]
        optimizer.step()
        del optimizer.grad_scale, optimizer.found_inf  # type: ignore[attr-defined]
    elif finite:
        optimizer.step()
