"""The hooks of a run: checked when it starts, called in order, their state saved and restored by their names."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mmdet.engine.training.hooks.contract import EVENTS
from mmdet.engine.training.hooks.training_run import TrainingRun
from mmdet.errors import UserError, shown, suggestion

_SETTLED = ("lr", "loss")  # figures of the run itself that are added later
_PLAIN = (str, bytes, int, float, bool, type(None), Tensor)


class Hooks:
    """Calls hooks with the run that they see. Raises UserError for methods that would never be called."""

    def __init__(self, hooks: Sequence[Any], run: TrainingRun) -> None:
        self.hooks, self.run = list(hooks), run
        kinds = [type(hook).__name__ for hook in hooks]
        repeated = [kinds[:index].count(kind) for index, kind in enumerate(kinds)]
        self.names = [f"{kind}{f'#{count + 1}' if count else ''}" for kind, count in zip(kinds, repeated, strict=True)]
        for name, hook in zip(self.names, self.hooks, strict=True):
            _check_methods(name, hook)

    def __bool__(self) -> bool:
        return bool(self.hooks)

    def call(self, event: str, *values: Any) -> dict[str, Any]:
        """Call the hooks that have this method with the run and these values. Return what each returns, by its name."""
        found = {}
        for name, hook in zip(self.names, self.hooks, strict=True):
            method = getattr(hook, event, None)
            if method is not None:
                try:
                    found[name] = method(self.run, *values)
                except Exception as error:
                    error.add_note(f"in {event} of the hook {name}, with {self.run.step} steps finished")
                    raise
        return found

    def after_step(self, figures: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Call the hooks after a step. Return its figures with theirs."""
        every = dict(figures)
        for name, own in self.call("after_step", figures).items():
            for key, value in _checked_figures(name, own).items():
                if key in every or key in _SETTLED or key.startswith("loss_"):
                    raise UserError(f"the hook {name} returns a figure {shown(key)}, which is taken: rename it")
                every[key] = _as_scalar(name, key, value, self.run.device)
        return every

    def state(self) -> dict[str, Any]:
        """Return the states of all hooks that have one."""
        states = {}
        for name, hook in zip(self.names, self.hooks, strict=True):
            state = dict(hook.state_dict()) if hasattr(hook, "state_dict") else {}
            if (foreign := _foreign(state)) is not None:
                raise UserError(f"the state of the hook {name} has {foreign}: return tensors and plain values only")
            if state:
                states[name] = state
        return states

    def take_up(self, states: Mapping[str, Any]) -> list[str]:
        """Restore saved states. Return a line about each hook that is new or gone."""
        notes = []
        for name, hook in zip(self.names, self.hooks, strict=True):
            if name in states:
                hook.load_state_dict(states[name])
            elif hasattr(hook, "state_dict") and hook.state_dict():
                notes.append(f"the hook {name} starts anew: the checkpoint has no state of it")
        gone = [name for name in states if name not in self.names]
        return [*notes, *(f"the hook {name} of the checkpoint is not in the config any more" for name in gone)]


def _check_methods(name: str, hook: Any) -> None:
    for method in dir(hook):
        if method.startswith(("before_", "after_")) and method not in EVENTS:
            raise UserError(
                f"the hook {name} has a method {method}, which is never called; {suggestion(method, [*EVENTS])}"
            )
    own = [event for event in EVENTS if hasattr(hook, event)]
    if not own:
        raise UserError(f"the hook {name} has none of the methods {', '.join(EVENTS)}: it would never be called")
    for event in own:
        try:
            inspect.signature(getattr(hook, event)).bind(*range(EVENTS[event]))
        except TypeError as error:
            raise UserError(
                f"{event} of the hook {name} must take {EVENTS[event]} arguments and self: {error}"
            ) from error
    if hasattr(hook, "state_dict") != hasattr(hook, "load_state_dict"):
        raise UserError(f"the hook {name} has one of state_dict and load_state_dict: write both or none")


def _checked_figures(name: str, own: Any) -> Mapping[str, Any]:
    if own is not None and not isinstance(own, Mapping):
        raise UserError(f"after_step of the hook {name} returns {shown(own)}, expected figures by name, or None")
    return own or {}


def _as_scalar(name: str, key: str, value: Any, device: torch.device) -> Tensor:
    if isinstance(value, Tensor) and value.numel() == 1 and value.device == device:
        return value.detach().reshape(())
    if isinstance(value, int | float):
        return torch.full((), float(value), device=device)  # unlike a copy this waits for nothing
    raise UserError(f"the figure {shown(key)} of the hook {name} must be a number, or a scalar tensor on {device}")


def _foreign(value: Any, where: str = "state") -> str | None:
    """Return the place and type of what a checkpoint cannot hold, None if all is plain."""
    if isinstance(value, dict):
        items: Any = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    else:
        return None if type(value) in _PLAIN else f"{where}: {type(value).__name__}"
    found = (_foreign(item, f"{where}.{key}") for key, item in items)
    return next((place for place in found if place is not None), None)
