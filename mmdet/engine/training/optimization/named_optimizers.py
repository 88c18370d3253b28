"""Optimisers of torch and timm by their names there, with the learning rates and weight decays of parameter groups.

`options` are further arguments of the optimiser; unknown ones are errors that list similar names.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from timm.optim import get_optimizer_class, get_optimizer_info, list_optimizers
from torch import nn

from mmdet.config.ranges import Amount, Factor
from mmdet.engine.training.optimization.parameter_groups import ParameterGroups, grouped
from mmdet.errors import UserError, shown, suggestion
from mmdet.registry import OPTIMIZERS

# These need a closure, sparse gradients, or matrices only (of timm there is a muon for all parameters).
_UNFIT_IN_TORCH = ("LBFGS", "SparseAdam", "Muon")
_OTHER_PACKAGES = ("bnb", "fused")  # prefixes of names in timm: bitsandbytes and apex
FUSED = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW)  # on a GPU they refuse a step without the host
# Arguments that are given otherwise, and those that the training step depends on.
_SETTLED = ("params", "lr", "weight_decay", "fused", "capturable", "differentiable", "maximize")

Make = Callable[..., torch.optim.Optimizer]


@OPTIMIZERS.register_module(name="TorchOptimizer")
def torch_optimizer(
    model: nn.Module,
    name: str,
    lr: Amount,
    weight_decay: Amount = 0.0,
    options: Mapping[str, Any] | None = None,
    layer_decay: Factor | None = None,
    no_decay_norm: bool = True,
    paramwise: Sequence[Mapping[str, Any]] = (),
) -> torch.optim.Optimizer:
    """Return the optimiser `name` of torch.optim over all trainable parameters; see AdamW for the other arguments."""
    known = _of_torch()
    if name not in known:
        raise UserError(
            f"config.optimizer.name: torch.optim has no {shown(name)} for this; {suggestion(name, [*known])}"
        )
    groups = grouped(model, lr, weight_decay, layer_decay, no_decay_norm, paramwise)
    kind = known[name]
    fused = {"fused": True} if groups.on_gpu and kind in FUSED else {}
    optimizer = _build(name, kind, kind, groups, lr, weight_decay, options or {}, fused)
    return prepared(optimizer)


@OPTIMIZERS.register_module(name="TimmOptimizer")
def timm_optimizer(
    model: nn.Module,
    name: str,
    lr: Amount,
    weight_decay: Amount = 0.0,
    options: Mapping[str, Any] | None = None,
    layer_decay: Factor | None = None,
    no_decay_norm: bool = True,
    paramwise: Sequence[Mapping[str, Any]] = (),
) -> torch.optim.Optimizer:
    """Return the optimiser `name` of timm.optim over all trainable parameters; see AdamW for the other arguments."""
    known = _of_timm()
    if name not in known:
        raise UserError(f"config.optimizer.name: timm.optim has no {shown(name)} for this; {suggestion(name, known)}")
    groups = grouped(model, lr, weight_decay, layer_decay, no_decay_norm, paramwise)
    kind = get_optimizer_class(name, bind_defaults=False)
    return _build(name, kind, get_optimizer_class(name), groups, lr, weight_decay, options or {}, {})


def _of_torch() -> dict[str, type[torch.optim.Optimizer]]:
    kinds = {name: kind for name, kind in vars(torch.optim).items() if inspect.isclass(kind)}
    base = torch.optim.Optimizer
    return {
        name: kind
        for name, kind in kinds.items()
        if issubclass(kind, base) and kind is not base and name not in _UNFIT_IN_TORCH
    }


def _of_timm() -> list[str]:
    names = [str(name) for name in list_optimizers() if not str(name).startswith(_OTHER_PACKAGES)]
    return [name for name in names if not get_optimizer_info(name).second_order]


def _build(
    name: str,
    kind: Callable[..., Any],
    make: Make,
    groups: ParameterGroups,
    lr: float,
    weight_decay: float,
    options: Mapping[str, Any],
    given: Mapping[str, Any],
) -> torch.optim.Optimizer:
    """Build an optimiser by `make`, whose arguments are those of `kind`."""
    parameters = inspect.signature(kind).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    known = [key for key in parameters if key not in _SETTLED]
    for key in options:
        if key in _SETTLED or not (key in known or takes_any):
            said = "is settled by the program or a key of its own" if key in _SETTLED else suggestion(key, known)
            raise UserError(f"config.optimizer.options: {name} has no option {shown(key)} to set: {said}")
    if "weight_decay" in parameters:
        given = {**given, "weight_decay": weight_decay}
    elif any(group["weight_decay"] for group in groups.listed):
        raise UserError(f"config.optimizer.weight_decay: {name} has none; leave it out, also in paramwise")
    try:
        return make(groups.listed, lr=lr, **given, **options)
    except (TypeError, ValueError, AssertionError, RuntimeError) as error:
        raise UserError(f"config.optimizer: {name} cannot be built: {error}") from error


def prepared(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """Return the optimiser, ready for a first step that may be refused.

    In that step torch allocates the fused momentum of SGD uninitialised, and would keep it so if the step is refused.
    """
    if isinstance(optimizer, torch.optim.SGD):
        for group in optimizer.param_groups:
            for parameter in group["params"] if group["fused"] and group["momentum"] else ():
                optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimizer
