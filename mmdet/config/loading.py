"""Load a config file with its `_base_`, apply dotted overrides, and check the whole.

Imports mmengine and the parts only when a file is loaded, because every command line imports this module.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdet.config.custom_imports import import_custom
from mmdet.config.names import find_config
from mmdet.config.sections import CustomImports, RunConfig
from mmdet.config.source_files import check_variables, source_files
from mmdet.errors import UserError, shown, suggestion

if TYPE_CHECKING:
    from mmengine.config import Config

_SECTIONS = [f.name for f in fields(RunConfig) if f.name != "source"]
_INDEX_DIGITS = 9  # longest index into a list
_WORDS = {"true": True, "false": False, "none": None}


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Load, override (`a.b.0.c=value`) and check a config: a file, or a name of configs/.

    Raises UserError for a missing file, an error in it, and unknown keys, types or overrides.
    """
    path = find_config(path)
    from mmdet.config.checking import fill_section

    files = source_files(path)
    source = _run_file(path)
    variables = [key for key in source if key not in _SECTIONS]
    check_variables(variables, _SECTIONS, files)
    for name in variables:
        del source._cfg_dict[name]
    for override in overrides:
        if (name := override.partition("=")[0].partition(".")[0]) in variables:
            raise UserError(
                f"--cfg-options {shown(override)}: {name} is a variable of the config file and has been used when that "
                "ran; name the keys of the sections that it went into"
            )
        _override(source, override)
    _import_parts()  # before a user's own, so that no file beside the config hides a package that they need
    if source.get("custom_imports") is not None:
        _import_custom(source, [file.path.resolve().parent for file in files])
    config: RunConfig = fill_section(RunConfig, source.to_dict(), "config", source=source)
    return config


def _run_file(path: str | Path) -> Config:
    from mmengine.config import Config

    try:
        return Config.fromfile(str(path), import_custom_modules=False)
    except Exception as error:  # a config is Python and can raise anything
        raise UserError(f"config {path} cannot be loaded: {type(error).__name__}: {error}") from error


def _import_custom(source: Config, folders: Sequence[Path]) -> None:
    """Import the modules that register a user's own parts, and store their folders in the config that is saved."""
    from mmdet.config.checking import fill_section

    section = fill_section(CustomImports, source.to_dict()["custom_imports"], "config.custom_imports")
    where = list(dict.fromkeys([*folders, *map(Path, section.folders)]))
    import_custom(section.imports, where)
    source._cfg_dict["custom_imports"]["folders"] = [str(folder) for folder in where]


def _import_parts() -> None:
    """Import the packages that register parts, so that every name can be checked."""
    for module in ("datasets", "models", "tracking", "engine.training.optimization.optimizers"):
        importlib.import_module(f"mmdet.{module}")


def _override(source: Config, override: str) -> None:
    """Set one dotted key. Its parents must exist; a new last key is checked with the whole config."""
    key, equals, text = override.partition("=")
    if not equals:
        raise UserError(f"--cfg-options {shown(override)}: expected key=value")
    value = literal(text)
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
        node[last] = value  # the key itself is checked with the whole config
    else:
        raise UserError(f"--cfg-options {shown(override)}: {'.'.join(walked)} is a value, it has no key {shown(last)}")


class _Habits(ast.NodeTransformer):
    """Converts other ways of writing literals in configs to Python's: `dict(a=1)`, and words without quotes."""

    def visit_Call(self, node: ast.Call) -> ast.AST:  # noqa: N802
        if not (isinstance(node.func, ast.Name) and node.func.id == "dict") or node.args:
            return node
        keys: list[ast.expr | None] = [ast.Constant(word.arg) for word in node.keywords]
        if any(word.arg is None for word in node.keywords):  # dict(**other)
            return node
        return ast.Dict(keys=keys, values=[self.visit(word.value) for word in node.keywords])

    def visit_Name(self, node: ast.Name) -> ast.AST:  # noqa: N802
        return ast.Constant(_WORDS.get(node.id.lower(), node.id))


def literal(text: str) -> Any:
    """Return the value of a Python literal, including `dict(...)`. Any other text is returned as text."""
    try:
        return ast.literal_eval(_Habits().visit(ast.parse(text.strip(), mode="eval")))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return _WORDS.get(text.lower(), text)


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
        raise UserError(
            f"--cfg-options {shown(override)}: {where} has no key {shown(part)}; {suggestion(part, list(node))}"
        )
    return node[part]
