"""The registries: they find the part that `type` names in a config, among the parts of the kind that the key expects.

There are six: models and their parts, parts of the task around them, data sets, transforms, optimisers, hooks. A name
is unique in its registry, and each part has a kind. Parts register themselves where they are defined, under their kind
(`@BACKBONES.register_module()`); packages import their parts explicitly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.registry import Registry

# The scope is fixed, because mmengine would otherwise infer one and search another package.
_SCOPE = "memcnp"


class PartKind:
    """A kind of part, such as backbone: the view of a registry that registers, finds and builds those parts only."""

    def __init__(self, name: str, registry: Registry, kinds: dict[str, str]) -> None:
        self.name, self.registry = name, registry
        self.kinds = kinds  # name of a part -> its kind

    def register_module(self, name: str | None = None, force: bool = False, module: Any = None) -> Any:
        """Register a class or function under its own name or `name`. Without `module` it works as a decorator."""

        def register(part: Any) -> Any:
            self.registry.register_module(name, force, part)
            self.kinds[name or part.__name__] = self.name
            return part

        return register if module is None else register(module)

    @property
    def module_dict(self) -> dict[str, Any]:
        """The parts of this kind, by name."""
        return {name: part for name, part in self.registry.module_dict.items() if self.kinds.get(name) == self.name}

    def build(self, part: Mapping[str, Any]) -> Any:
        """Build a part from its `type` and arguments. Raises ValueError unless `type` names a part of this kind."""
        known = self.module_dict
        if part.get("type") not in known:
            raise ValueError(f"there is no {self.name} {part.get('type')!r}; known: {', '.join(sorted(known))}")
        return self.registry.build(dict(part))


def _kinds(registry: str, *names: str) -> tuple[PartKind, ...]:
    """Make a registry with these kinds of parts."""
    shared, kinds = Registry(registry, scope=_SCOPE), dict[str, str]()
    return tuple(PartKind(name, shared, kinds) for name in names)


MODELS, BACKBONES, NECKS, HEADS, MEMORIES = _kinds("models", "model", "backbone", "neck", "head", "memory")
ASSIGNERS, CRITERIA, POSTPROCESSORS, TRACKERS = _kinds("task", "assigner", "criterion", "postprocessor", "tracker")
(DATASETS,) = _kinds("datasets", "dataset")
(TRANSFORMS,) = _kinds("transforms", "transform")
(HOOKS,) = _kinds("hooks", "hook")
(OPTIMIZERS,) = _kinds("optimizers", "optimizer")

# Key of a config -> the kind of the part or parts in it, for sections and parts.
OF_KEY: dict[str, PartKind] = {
    "model": MODELS,
    "backbone": BACKBONES,
    "neck": NECKS,
    "temporal_neck": NECKS,
    "head": HEADS,
    "rpn": HEADS,
    "memory": MEMORIES,
    "criterion": CRITERIA,
    "assigner": ASSIGNERS,
    "anchor_assigner": ASSIGNERS,
    "anchor_sampler": ASSIGNERS,
    "region_assigner": ASSIGNERS,
    "region_sampler": ASSIGNERS,
    "postprocess": POSTPROCESSORS,
    "tracker": TRACKERS,
    "dataset": DATASETS,
    "datasets": DATASETS,
    "transforms": TRANSFORMS,
    "optimizer": OPTIMIZERS,
    "custom_hooks": HOOKS,
}
KINDS: tuple[PartKind, ...] = tuple(dict.fromkeys(OF_KEY.values()))

# Arguments that the program gives to parts: the model passes on its widths, the optimiser gets the model.
HANDED_ON = frozenset({"model", "in_channels", "channels", "strides", "heads"})
