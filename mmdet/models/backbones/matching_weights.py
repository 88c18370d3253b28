"""Fit a file's pretrained tensors to a backbone and say what happened. Reading files is the training program's work."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn


def load_matching(module: nn.Module, state: Mapping[str, Tensor], optional: Callable[[str], bool]) -> str:
    """Load every tensor of `module` from `state` and return one line that says what was loaded and what skipped.

    Keys for which `optional` holds may be missing. Raises ValueError for another missing key or another shape.
    """
    own = module.state_dict()
    missing = [name for name in own if name not in state and not optional(name)]
    differing = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(own[name].shape)}"
        for name in own
        if name in state and state[name].shape != own[name].shape
    ]
    if missing or differing:
        raise ValueError(
            f"{len(missing)} keys missing {missing[:5]}, {len(differing)} of other shapes: {', '.join(differing[:5])}"
        )
    loaded = {name: state[name] for name in own if name in state}
    module.load_state_dict(loaded, strict=False)
    skipped = sorted({name.split(".")[0] for name in state if name not in own})
    return f"{len(loaded)} of {len(own)} tensors loaded" + (f", not used: {', '.join(skipped)}" if skipped else "")
