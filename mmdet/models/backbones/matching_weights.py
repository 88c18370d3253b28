"""Load pretrained tensors into a backbone and report what was loaded. The training program reads the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn


def load_matching(module: nn.Module, state: Mapping[str, Tensor], optional: Callable[[str], bool]) -> str:
    """Load every tensor of `module` from `state`. Return one line that says what was loaded and what was skipped.

    Keys for which `optional` returns true may be missing. Raises ValueError for other missing keys and for wrong
    shapes.
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
