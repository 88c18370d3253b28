"""Group parameters by learning rate and weight decay, which may depend on their names.

`paramwise` of a config's optimiser lists dicts with a `pattern` of parameter names (see mmdet.models.freezing), and a
factor for the learning rate (`lr_mult`), a separate `weight_decay`, or both. If several entries match a parameter, the
last one counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from mmdet.errors import UserError, shown
from mmdet.models.freezing import matching


class ParameterGroups:
    """Named parameters, grouped by learning rate and weight decay."""

    def __init__(self) -> None:
        self._members: dict[tuple[float, float], list[tuple[str, Tensor]]] = {}

    def add(self, name: str, parameter: Tensor, rate: float, decay: float) -> None:
        """Add a parameter with its full learning rate and its weight decay."""
        self._members.setdefault((rate, decay), []).append((name, parameter))

    @property
    def listed(self) -> list[dict[str, Any]]:
        """The groups in torch's form. Raises UserError if there are none."""
        if not self._members:
            raise UserError("there is no parameter to train: all are frozen (config.model.frozen, frozen_stages)")
        return [
            {"params": members, "lr": rate, "weight_decay": decay} for (rate, decay), members in self._members.items()
        ]

    @property
    def on_gpu(self) -> bool:
        """Whether the parameters are on a GPU."""
        return any(parameter.is_cuda for members in self._members.values() for _, parameter in members)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSettings:
    """The settings of `paramwise` for one parameter."""

    lr_mult: float = 1.0
    weight_decay: float | None = None

    def decay(self, general: float) -> float:
        """Return the parameter's weight decay, by default the `general` one."""
        return general if self.weight_decay is None else self.weight_decay


def grouped(
    model: nn.Module,
    lr: float,
    weight_decay: float,
    layer_decay: float | None,
    no_decay_norm: bool,
    paramwise: Sequence[Mapping[str, Any]],
) -> ParameterGroups:
    """Return the trainable parameters of a model with their learning rates and weight decays.

    `layer_decay`: factor by which the learning rate falls from each layer of the backbone to the one before; None: none
    `no_decay_norm`: no weight decay for biases and normalisation weights
    """
    own = own_settings(model, paramwise)
    groups = ParameterGroups()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            rate = lr * own[name].lr_mult * (1.0 if layer_decay is None else _layer_scale(model, name, layer_decay))
            decay = 0.0 if no_decay_norm and parameter.ndim <= 1 else own[name].decay(weight_decay)
            groups.add(name, parameter, rate, decay)
    return groups


def _layer_scale(model: nn.Module, name: str, layer_decay: float) -> float:
    backbone: Any = getattr(model, "backbone", None)
    if not (hasattr(backbone, "layer_index") and hasattr(backbone, "num_layers")):
        raise UserError(
            f"config.optimizer.layer_decay: {type(backbone).__name__} has no layers to tell apart; use None"
        )
    if not name.startswith("backbone."):
        return 1.0
    return layer_decay ** (backbone.num_layers - 1 - backbone.layer_index(name.removeprefix("backbone.")))


def own_settings(model: nn.Module, paramwise: Sequence[Mapping[str, Any]]) -> dict[str, OwnSettings]:
    """Return the settings of every parameter. Raises UserError for a pattern without a match and for a wrong value."""
    names = [name for name, _ in model.named_parameters()]
    own = dict.fromkeys(names, OwnSettings())
    for index, entry in enumerate(paramwise):
        where = f"config.optimizer.paramwise.{index}"
        if not isinstance(entry, Mapping) or "pattern" not in entry:
            raise UserError(f"{where}: expected dict(pattern='backbone.*', lr_mult=0.1), got {shown(entry)}")
        values = {key: value for key, value in entry.items() if key != "pattern"}
        for key, value in values.items():
            if key not in ("lr_mult", "weight_decay"):
                raise UserError(f"{where}: unknown key {shown(key)}; known: pattern, lr_mult, weight_decay")
            if type(value) not in (int, float) or not 0 <= value < math.inf:
                raise UserError(f"{where}.{key} is {shown(value)}, expected a number of 0 or more")
        for name in matching(entry["pattern"], names, f"{where}.pattern"):
            own[name] = replace(own[name], **values)
    return own
