"""Count the parameters, floating-point operations and activations of a network's parts.

Operations are those of convolutions and matrix products, a multiplication and an addition counting as two; activations
are the numbers that these put out. The network runs on tensors without numbers, so nothing is computed.
Source of the counts: torch's FlopCounterMode; activations as in Dollar et al., Fast and Accurate Model Scaling (2021).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry
from torch.utils.module_tracker import ModuleTracker

from mmdet.structures import Size
from mmdet.structures.two_stage_outputs import TwoStageOutputs

FINEST_STRIDE = 4  # of the levels that regions are read from; each next one is twice as coarse


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a network and all that is inside. `name` is dotted; "" is the whole network."""

    name: str
    parameters: int
    trainable: int
    buffers: int  # numbers that are saved but not learned


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The work for one frame of `size` (height, width), by the names of parts."""

    size: Size
    flops: Mapping[str, int]
    activations: Mapping[str, int]
    maps: Sequence[tuple[int, Size]]  # stride and size of each level of points

    def of(self, part: str) -> tuple[int, int]:
        """Return the operations and activations of a part."""
        return _total(self.flops, part), _total(self.activations, part)


def _total(counts: Mapping[str, int], part: str) -> int:
    """Return the count of a part: its own, or the sum of what is inside of a mere list of parts."""
    if part in counts:
        return counts[part]
    inside = [name for name in counts if name.startswith(f"{part}.")]
    outermost = [name for name in inside if not any(name.startswith(f"{other}.") for other in inside)]
    return sum(counts[name] for name in outermost)


def count_parameters(model: nn.Module, depth: int) -> list[Part]:
    """Return the parts down to `depth` levels, each before those inside of it; parts without numbers are left out."""
    saved = model.state_dict(keep_vars=True)
    trained = {name for name, _ in model.named_parameters(remove_duplicate=False)}

    def part(name: str) -> Part:
        own = {key: value for key, value in saved.items() if not name or key.startswith(f"{name}.")}
        parameters = [value for key, value in own.items() if key in trained]
        return Part(
            name=name,
            parameters=sum(value.numel() for value in _once(parameters)),
            trainable=sum(value.numel() for value in _once(parameters) if value.requires_grad),
            buffers=sum(value.numel() for key, value in own.items() if key not in trained),
        )

    names = [name for name, _ in model.named_modules() if name and name.count(".") < depth]
    parts = [part(name) for name in names]
    return [part(""), *(found for found in parts if found.parameters or found.buffers)]


def _once(values: Sequence[Any]) -> list[Any]:
    """Return shared tensors once."""
    return list({id(value): value for value in values}.values())


def count_work(build: Callable[[], nn.Module], size: Size) -> Work:
    """Count the work of the network that `build` makes for one frame. It is built anew, without numbers.

    A part of a user's own that looks at numbers runs on real ones instead.
    """
    try:
        return _count(build, size, FakeTensorMode())
    except Exception:  # the error of numbers that are not there depends on the operation
        return _count(build, size, nullcontext())


def _count(build: Callable[[], nn.Module], size: Size, mode: AbstractContextManager[Any]) -> Work:
    with mode, torch.no_grad():
        model = build().eval()
        images, valid = torch.zeros(1, 1, 3, *size), torch.ones(1, 1, *size, dtype=torch.bool)
        # attention as plain matrix products, which are counted; its fused form for the CPU is not
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as flops, _Activations() as activations:
            outputs = model(images, valid)
    whole = type(model).__name__
    counts = {_inside(name, whole): sum(by_kind.values()) for name, by_kind in flops.get_flop_counts().items()}
    found = {_inside(name, whole): count for name, count in activations.counts.items()}
    return Work(size=size, flops=counts, activations=found, maps=_maps_of(outputs))


def _maps_of(outputs: Any) -> list[tuple[int, Size]]:
    """Return stride and size of each level of points, or of each level that regions are read from."""
    if isinstance(outputs, TwoStageOutputs):
        return [(FINEST_STRIDE << level, (m.shape[-2], m.shape[-1])) for level, m in enumerate(outputs.features)]
    return list(zip(outputs.points.strides, outputs.points.level_sizes, strict=True))


def _inside(name: str, whole: str) -> str:
    """Return the name of a part in the network; that of torch's trackers begins with the network's class."""
    return "" if name in (whole, "Global") else name.removeprefix(f"{whole}.")


class _Activations(TorchDispatchMode):
    """Adds up what convolutions and matrix products put out, for every module that they run in."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[str, int] = defaultdict(int)
        self._modules = ModuleTracker()

    def __enter__(self) -> _Activations:
        self._modules.__enter__()
        super().__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        self._modules.__exit__(*exception)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation, and count what it puts out."""
        result = func(*args, **(kwargs or {}))
        if func._overloadpacket in flop_registry:
            first = result[0] if isinstance(result, tuple) else result
            for name in set(self._modules.parents):
                self.counts[name] += first.numel()
        return result
