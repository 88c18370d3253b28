"""Lines about what a run optimises: the groups of parameters, what patterns of names have matched, what is frozen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from mmdet.config import RunConfig
from mmdet.errors import shown
from mmdet.models.freezing import matching

MOST_GROUPS = 4  # shown one by one


def describe_optimization(model: nn.Module, optimizer: torch.optim.Optimizer, config: RunConfig) -> list[str]:
    """Return the lines for the start of a run's log."""
    parameters = dict(model.named_parameters())
    lines = [f"optimizer {type(optimizer).__name__}: {_groups(optimizer.param_groups)}"]
    entries = config.optimizer.get("paramwise", ())
    found = [matching(entry["pattern"], list(parameters), "config.optimizer.paramwise") for entry in entries]
    for index, (entry, names) in enumerate(zip(entries, found, strict=True)):
        changed = set(names) & set().union(*found[index + 1 :])
        settings = ", ".join(f"{key} {value:g}" for key, value in entry.items() if key != "pattern")
        later = f"; later entries change {len(changed)} of them" if changed else ""
        said = _named(entry["pattern"], names, parameters)
        lines.append(f"paramwise.{index} {said}: {settings or 'no changes'}{later}")
    for pattern in config.model.get("frozen", ()):
        lines.append(f"model.frozen {_named(pattern, matching(pattern, list(parameters), 'frozen'), parameters)}")
    frozen = Counter(name.split(".")[0] for name, value in parameters.items() if not value.requires_grad)
    if frozen:
        whole = Counter(name.split(".")[0] for name in parameters)
        parts = (f"{part} {count if count < whole[part] else 'all'} of {whole[part]}" for part, count in frozen.items())
        lines.append(f"frozen: {sum(frozen.values())} of {len(parameters)} tensors ({', '.join(parts)})")
    return lines


def _groups(groups: Sequence[dict[str, object]]) -> str:
    rates, decays = ([float(group[key]) for group in groups] for key in ("initial_lr", "weight_decay"))  # type: ignore[arg-type]
    members: list[list[Tensor]] = [list(group["params"]) for group in groups]  # type: ignore[call-overload]
    total = _counted([value for some in members for value in some])
    if len(groups) > MOST_GROUPS:
        decay = " and ".join(f"{value:g}" for value in sorted(set(decays)))
        rate = f"{min(rates):.3g} to {max(rates):.3g}"
        return f"{total} in {len(groups)} groups, learning rates {rate}, weight decay {decay}"
    each = (
        f"{len(some)} with learning rate {rate:.3g} and weight decay {decay:g}"
        for some, rate, decay in zip(members, rates, decays, strict=True)
    )
    return f"{total}: {', '.join(each)}"


def _named(pattern: str, names: Sequence[str], parameters: dict[str, nn.Parameter]) -> str:
    ends = names[0] if len(names) == 1 else f"{names[0]} ... {names[-1]}"
    return f"{shown(pattern)} matches {_counted([parameters[name] for name in names])} ({ends})"


def _counted(values: Iterable[Tensor]) -> str:
    sizes = [value.numel() for value in values]
    return f"{len(sizes)} tensor{'s' if len(sizes) != 1 else ''} of {sum(sizes):,} numbers"
