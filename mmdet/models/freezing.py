"""Choose parameters by patterns of their names, and freeze parts of a model.

Patterns work as in a shell: `*` stands for any text including dots, `?` for one character. A pattern must match the
whole name of a parameter or of a part of the model: `backbone` means the whole backbone.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from mmdet.errors import UserError, shown, suggestion


def matching(pattern: Any, names: Sequence[str], where: str) -> list[str]:
    """Return the names that a pattern matches. Raises UserError with similar names if it matches none."""
    if not isinstance(pattern, str):
        raise UserError(f"{where}: expected a pattern of parameters' names such as 'backbone.*', got {shown(pattern)}")
    found = [name for name in names if fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")]
    if not found:
        parts = {name.rsplit(".", count)[0] for name in names for count in range(name.count(".") + 1)}
        known = suggestion(pattern.rstrip("*").rstrip("."), sorted(parts)) if pattern else "it is empty"
        raise UserError(f"{where}: {shown(pattern)} matches no parameter of the model; {known}")
    return found


def freeze(model: nn.Module, patterns: Sequence[str], where: str) -> None:
    """Freeze the parameters that match a pattern: they get no gradient.

    Raises UserError for a pattern without a match.
    """
    if isinstance(patterns, str) or not isinstance(patterns, Sequence):
        raise UserError(f"{where}: expected a list of patterns such as ['backbone.*'], got {shown(patterns)}")
    parameters = dict(model.named_parameters())
    for index, pattern in enumerate(patterns):
        for name in matching(pattern, list(parameters), f"{where}.{index}"):
            parameters[name].requires_grad_(False)


def rest_frozen_parts(model: nn.Module) -> None:
    """Set parts with only frozen parameters to evaluation mode, so that their batch norms keep their statistics."""
    for module in model.modules():
        parameters = list(module.parameters())
        if module.training and parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()
