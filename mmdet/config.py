"""Configs: load a Python file with its `_base_`, apply dotted overrides, and refuse what nobody would read.

A config assembles registered parts (`dict(type=NAME, ...)`) and fills the sections below. What is misspelt is an error
that lists near names. Knows nothing of what the parts do.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from mmengine.config import Config

from mmdet import registry
from mmdet.errors import UserError, near, shown

_INDEX_DIGITS = 9  # of a place in a list


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainData:
    """What is trained on. With several datasets each batch item is drawn from them in proportion to `ratios`."""

    datasets: list[dict[str, Any]]
    ratios: list[float] | None = None  # one a dataset; None: every item of every dataset once an epoch
    batch_size: int = 4  # pairs a process
    workers: int = 4  # loading processes a process


@dataclass(frozen=True, slots=True, kw_only=True)
class TestData:
    """What is tested on: videos of one dataset, in chunks of frames."""

    __test__ = False  # not a test, whatever pytest makes of the name
    dataset: dict[str, Any]
    chunk_size: int = 4  # frames of one video a batch
    workers: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSection:
    """The data of training, of testing, and of validation during training (None: the test data)."""

    train: TrainData
    test: TestData
    valid: TestData | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSection:
    """How long to train and how the learning rate moves (MODEL.md 6, last paragraph). One of epochs and steps."""

    epochs: int | None = None
    steps: int | None = None
    warmup_steps: int = 0
    warmup_ratio: float = 1.0  # the first step's learning rate as a fraction of the full one
    decay: str = "step"  # "step": times gamma at every milestone; "cosine": to zero at the end
    milestones: list[float] = field(default_factory=list)
    milestone_unit: str = "epoch"  # or "fraction" of the whole run
    gamma: float = 0.1
    base_batch_size: int | None = None  # pairs a step that the learning rate is meant for; see --auto-scale-lr


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeSection:
    """Everything about a run that does not change what is learned, and the few numbers of the training loop."""

    seed: int = 0
    amp: str = "bf16"  # training on a GPU: bf16, fp16 or off; the CPU always computes in float32
    grad_clip: float | None = None  # L2 norm
    accumulate: int = 1  # batches an optimiser step
    log_every: int = 50  # steps
    checkpoint_every: int = 1  # epochs
    checkpoint_every_steps: int | None = None  # beside the epochs' ends
    validate_every: int = 1  # epochs, with --validate
    keep_last: int = 3  # checkpoints
    keep_best: int = 0  # beside them and best.pth, of those that --validate has scored
    deterministic: bool = False  # equal runs on a GPU, too, more slowly
    cuda_graphs: bool = True  # training on a GPU, with accumulate 1: launches forward and backward as one each
    compile: bool = False  # training on a GPU: fuses small operations by torch.compile, which takes a while to start
    num_threads: int | None = None  # of torch on the CPU; None: torch's own choice


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomImports:
    """Python modules that register a user's own parts; they are imported before the config is checked."""

    imports: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """A whole experiment. Dicts with `type` are built by the registries, sections are read as they are."""

    model: dict[str, Any]
    tracker: dict[str, Any]
    data: DataSection
    optimizer: dict[str, Any]
    schedule: ScheduleSection
    runtime: RuntimeSection
    custom_imports: CustomImports | None = None
    work_dir: str | None = None
    source: Config = field(repr=False)  # as loaded and overridden: `source.dump(path)` writes it

    @property
    def name(self) -> str:
        """The config file's name without its ending."""
        return Path(self.source.filename).stem


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Load, override (`a.b.0.c=value`) and check a config file.

    Raises UserError for a missing file, an error in it, and every key, type or override that does not exist.
    """
    if not Path(path).is_file():
        raise UserError(f"config {path} does not exist")
    try:
        source = Config.fromfile(str(path), import_custom_modules=False)
    except Exception as error:  # a config is Python: anything can go wrong in it
        raise UserError(f"config {path} cannot be loaded: {type(error).__name__}: {error}") from error
    for override in overrides:
        _override(source, override)
    values = source.to_dict()
    _import_custom(values.get("custom_imports"))
    _import_parts()
    values["source"] = source
    config: RunConfig = _section(RunConfig, values, "config")
    return config


def _import_custom(section: Any) -> None:
    """Import the modules that register a user's own parts."""
    if section is None:
        return
    for module in _section(CustomImports, section, "config.custom_imports").imports:
        if not all(name.isidentifier() for name in module.split(".")):
            raise UserError(f"custom_imports: {shown(module)} is no name of a module, as in my_package.my_part")
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise UserError(f"custom_imports: {module} cannot be imported: {error}") from error


def _import_parts() -> None:
    """Import the packages that register parts, so that every name can be checked."""
    for package in ("datasets", "models", "tracking", "engine"):
        importlib.import_module(f"mmdet.{package}")


def _override(source: Config, override: str) -> None:
    """Set one existing dotted key; in a dict with `type` and in a section a new key is checked with the rest."""
    key, equals, text = override.partition("=")
    if not equals:
        raise UserError(f"--cfg-options {shown(override)}: expected key=value")
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):  # whatever is no literal is text
        value = {"true": True, "false": False, "none": None}.get(text.lower(), text)
    *parents, last = key.split(".")
    node: Any = source._cfg_dict
    walked: list[str] = []
    for part in parents:
        node = _child(node, part, ".".join(walked) or "the config", override)
        walked.append(part)
    if isinstance(node, list):
        _child(node, last, ".".join(walked), override)
        node[int(last)] = value
    elif isinstance(node, dict):
        node[last] = value  # whether the key exists is checked with the whole config
    else:
        raise UserError(f"--cfg-options {shown(override)}: {'.'.join(walked)} is a value, it has no key {shown(last)}")


def _child(node: Any, part: str, where: str, override: str) -> Any:
    if isinstance(node, list):
        if not (part.isascii() and part.isdigit()) or len(part) > _INDEX_DIGITS or int(part) >= len(node):
            raise UserError(
                f"--cfg-options {shown(override)}: {where} is a list of {len(node)}, "
                f"{shown(part)} is not an index of it"
            )
        return node[int(part)]
    if not isinstance(node, dict):
        raise UserError(f"--cfg-options {shown(override)}: {where} is a value, it has no key {shown(part)}")
    if part not in node:
        raise UserError(f"--cfg-options {shown(override)}: {where} has no key {shown(part)}; {near(part, list(node))}")
    return node[part]


def _section(kind: Any, values: Any, where: str) -> Any:
    """Fill a section's dataclass, refusing unknown and missing keys and checking the parts inside."""
    if not isinstance(values, dict):
        raise UserError(f"{where}: expected a dict, got {shown(values)}")
    known = [f.name for f in fields(kind)]
    for key in values:
        if key not in known:
            raise UserError(f"{where}: unknown key {shown(key)}; {near(key, known)}")
    hints = get_type_hints(kind)
    filled = {}
    for f in fields(kind):
        if f.name in values:
            filled[f.name] = _value(hints[f.name], values[f.name], f"{where}.{f.name}")
        elif f.default is MISSING and f.default_factory is MISSING:
            raise UserError(f"{where}: key {f.name!r} is missing")
    return kind(**filled)


def _value(hint: Any, value: Any, where: str) -> Any:
    """Return a section's value, built if it is a section itself and checked for its kind."""
    options = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    if value is None and NoneType in options:
        return None
    kind = next(option for option in options if option is not NoneType)
    if is_dataclass(kind):
        return _section(kind, value, where)
    if kind == dict[str, Any]:
        if not (isinstance(value, dict) and "type" in value):
            raise UserError(f"{where}: expected a dict with the key 'type', got {shown(value)}")
        check_part(value, where)
        return value
    base = get_origin(kind) or kind
    fits = (
        isinstance(value, base)
        or (base is float and isinstance(value, int))
        or (base is list and isinstance(value, tuple))
    )
    if not fits or (isinstance(value, bool) and base is not bool):
        raise UserError(f"{where}: expected {base.__name__}, got {shown(value)}")
    if base is list:
        (item_kind,) = get_args(kind)
        return [_value(item_kind, item, f"{where}.{index}") for index, item in enumerate(value)]
    return value


def find_part(name: str, where: str) -> Any:
    """Return the class or function registered as `name`; UserError with near names if there is none."""
    for kind in registry.ALL:
        part = kind.module_dict.get(name) if isinstance(name, str) else None
        if part is not None:
            return part
    known = [part for kind in registry.ALL for part in kind.module_dict]
    raise UserError(f"{where}: unknown type {shown(name)}; {near(name, known)}")


def check_part(part: Any, where: str) -> None:
    """Refuse a part whose type or keys do not exist, in it and in everything inside."""
    if isinstance(part, list | tuple):
        for index, item in enumerate(part):
            check_part(item, f"{where}.{index}")
    if not isinstance(part, dict):
        return
    if "type" in part:
        parameters = inspect.signature(find_part(part["type"], where)).parameters
        takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        for key in part:
            if key != "type" and key not in parameters and not takes_any:
                known = [name for name in parameters if name != "self"]
                raise UserError(f"{where}: {part['type']} has no key {shown(key)}; {near(key, known)}")
    for key, value in part.items():
        check_part(value, f"{where}.{key}")
