"""Load a saved state into an optimiser of the same kind, matching parameters by name.

The grouping of parameters may differ, because learning rates and similar settings come from the config.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmdet.engine.checkpoints.weights import check_finite
from mmdet.errors import UserError, short_list

NAMES = "param_names"  # torch's key of a group; older states without it are matched by position
START_ANEW = "start anew from its weights by --load_from"


def restore_optimizer(optimizer: torch.optim.Optimizer, saved: Mapping[str, Any], source: Path) -> None:
    """Load a saved state, except learning rates and similar settings. Raises UserError if it does not fit."""
    settings = [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
    _check_kind(optimizer, saved, source)
    try:
        optimizer.load_state_dict(_in_our_order(optimizer, saved, source))
    except (ValueError, KeyError) as error:
        raise UserError(f"{source} was trained with another optimizer than this config's: {error}") from error
    for group, values in zip(optimizer.param_groups, settings, strict=True):
        group.update(values)
    _check_tensors(optimizer, source)


def _check_kind(optimizer: torch.optim.Optimizer, saved: Mapping[str, Any], source: Path) -> None:
    """Raise UserError if each side has settings that the other lacks; a new torch version only adds settings."""
    theirs, ours = set(saved["param_groups"][0]) - {NAMES}, set(optimizer.param_groups[0]) - {NAMES}
    if theirs - ours and ours - theirs:
        raise UserError(
            f"{source} was trained with another optimizer than this config's {type(optimizer).__name__} (its settings "
            f"are {short_list(sorted(theirs - ours))}): set that one, or {START_ANEW}"
        )


def _in_our_order(optimizer: torch.optim.Optimizer, saved: Mapping[str, Any], source: Path) -> dict[str, Any]:
    """Return the state with the optimiser's grouping and numbering of parameters."""
    if not all(NAMES in group for group in (*saved["param_groups"], *optimizer.param_groups)):
        return dict(saved)
    groups = optimizer.state_dict()["param_groups"]
    theirs, ours = (
        {name: number for group in some for name, number in zip(group[NAMES], group["params"], strict=True)}
        for some in (saved["param_groups"], groups)
    )
    changes = (("now frozen or gone", theirs.keys() - ours), ("now trained", ours.keys() - theirs))
    if any(names for _, names in changes):
        said = "; ".join(f"{what}: {short_list(sorted(names))}" for what, names in changes if names)
        raise UserError(f"{source} trained other parameters ({said}): freeze the same, or {START_ANEW}")
    groups = [{**_counted_by_steps(group, saved["param_groups"]), **group} for group in groups]
    state = {ours[name]: saved["state"][number] for name, number in theirs.items() if number in saved["state"]}
    return {"state": state, "param_groups": groups}


def _counted_by_steps(group: Mapping[str, Any], saved: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the saved group of the same parameters has and a new one has not: optimisers add it as they step."""
    first = next(other for other in saved if group[NAMES][0] in other[NAMES])
    return {key: value for key, value in first.items() if key not in group}


def _is_elementwise(optimizer: torch.optim.Optimizer) -> bool:
    """Return whether every tensor of the state must have its parameter's shape; others keep sums over rows."""
    ours = type(optimizer).__module__.startswith("torch.optim.")
    return ours and not isinstance(optimizer, torch.optim.Adafactor)


def _check_tensors(optimizer: torch.optim.Optimizer, source: Path) -> None:
    """Raise UserError if a state does not fit its parameter, which otherwise shows only in the middle of a step."""
    for group in optimizer.param_groups:
        names = group.get(NAMES) or [f"parameter {index}" for index in range(len(group["params"]))]
        for name, parameter in zip(names, group["params"], strict=True):
            tensors = {
                key: value for key, value in optimizer.state.get(parameter, {}).items() if isinstance(value, Tensor)
            }
            for key, value in tensors.items():
                if _is_elementwise(optimizer) and value.dim() and value.shape != parameter.shape:
                    raise UserError(
                        f"{source}: the optimizer's {key} of {name} has the shape {tuple(value.shape)}, not the "
                        f"parameter's {tuple(parameter.shape)}: it is of another run; {START_ANEW}"
                    )
            check_finite({f"the optimizer's {key} of {name}": value for key, value in tensors.items()}, source)
