"""The registries: a part named by `type` in a config is looked up in the registry of its kind.

Parts register themselves where they are defined (`@BACKBONES.register_module()`); packages import their parts
explicitly, so grep finds who builds what. The scope is fixed because an inferred one would look for another package.
"""

from mmengine.registry import Registry

_SCOPE = "memcnp"

MODELS = Registry("model", scope=_SCOPE)  # whole models
BACKBONES = Registry("backbone", scope=_SCOPE)
NECKS = Registry("neck", scope=_SCOPE)
HEADS = Registry("head", scope=_SCOPE)
MEMORIES = Registry("memory", scope=_SCOPE)
ASSIGNERS = Registry("assigner", scope=_SCOPE)
CRITERIA = Registry("criterion", scope=_SCOPE)
POSTPROCESSORS = Registry("postprocessor", scope=_SCOPE)
TRACKERS = Registry("tracker", scope=_SCOPE)
DATASETS = Registry("dataset", scope=_SCOPE)
TRANSFORMS = Registry("transform", scope=_SCOPE)
OPTIMIZERS = Registry("optimizer", scope=_SCOPE)

# The kind of the part or parts that a key of a config holds, in sections and in parts.
OF_KEY: dict[str, Registry] = {
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

# Arguments that the program itself gives to parts: the model hands on its widths, the optimiser gets the model.
HANDED_ON = frozenset({"model", "in_channels", "channels", "strides"})

ALL: tuple[Registry, ...] = (
    MODELS,
    BACKBONES,
    NECKS,
    HEADS,
    MEMORIES,
    ASSIGNERS,
    CRITERIA,
    POSTPROCESSORS,
    TRACKERS,
    DATASETS,
    TRANSFORMS,
    OPTIMIZERS,
)
