"""The registries: a part named by `type` in a config is looked up among the parts of the kind that its key expects.

There are five: models and their parts, parts of the task around them, data sets, transforms, optimisers. A name stands
once in its registry, and each part is of a kind. Parts register themselves where they are defined, under their kind
(`@BACKBONES.register_module()`); packages import their parts explicitly, so grep finds who builds what.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.registry import Registry

# The scope is fixed because an inferred one would look for another package.
_SCOPE = "memcnp"


class Kind:
    """A kind of part, such as backbone: the view of a registry that registers, finds and builds those parts only."""

    def __init__(self, name: str, registry: Registry, kinds: dict[str, str]) -> None:
        self.name, self.registry = name, registry
        self.kinds = kinds  # of the parts of the registry, by their names

    def register_module(self, name: str | None = None, force: bool = False, module: Any = None) -> Any:
        """Register a class or function under its own name or another; without `module`, as a decorator."""

        def register(part: Any) -> Any:
            self.registry.register_module(name, force, part)
            self.kinds[name or part.__name__] = self.name
            return part

        return register if module is None else register(module)

    @property
    def module_dict(self) -> dict[str, Any]:
        """The parts of this kind by their names."""
        return {name: part for name, part in self.registry.module_dict.items() if self.kinds.get(name) == self.name}

    def build(self, part: Mapping[str, Any]) -> Any:
        """Build a part from its `type` and arguments. Raises ValueError unless the type is a name of this kind."""
        known = self.module_dict
        if part.get("type") not in known:
            raise ValueError(f"there is no {self.name} {part.get('type')!r}; known: {', '.join(sorted(known))}")
        return self.registry.build(dict(part))


def _kinds(registry: str, *names: str) -> tuple[Kind, ...]:
    """Make a registry with these kinds of parts."""
    shared, kinds = Registry(registry, scope=_SCOPE), dict[str, str]()
    return tuple(Kind(name, shared, kinds) for name in names)


MODELS, BACKBONES, NECKS, HEADS, MEMORIES = _kinds("models", "model", "backbone", "neck", "head", "memory")
ASSIGNERS, CRITERIA, POSTPROCESSORS, TRACKERS = _kinds("task", "assigner", "criterion", "postprocessor", "tracker")
(DATASETS,) = _kinds("datasets", "dataset")
(TRANSFORMS,) = _kinds("transforms", "transform")
(OPTIMIZERS,) = _kinds("optimizers", "optimizer")

# The kind of the part or parts that a key of a config holds, in sections and in parts.
OF_KEY: dict[str, Kind] = {
    "model": MODELS,
    "backbone": BACKBONES,
    "neck": NECKS,
    "temporal_neck": NECKS,
    "head": HEADS,
    "memory": MEMORIES,
    "criterion": CRITERIA,
    "assigner": ASSIGNERS,
    "postprocess": POSTPROCESSORS,
    "tracker": TRACKERS,
    "dataset": DATASETS,
    "datasets": DATASETS,
    "transforms": TRANSFORMS,
    "optimizer": OPTIMIZERS,
}
KINDS: tuple[Kind, ...] = tuple(dict.fromkeys(OF_KEY.values()))

# Arguments that the program itself gives to parts: the model hands on its widths, the optimiser gets the model.
HANDED_ON = frozenset({"model", "in_channels", "channels", "strides"})
