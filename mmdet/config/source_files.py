"""Inspect the files of a config before they run: find their bases and their variables.

A top-level name that is not a section is a mistake, unless the file uses it or it starts with `_`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdet.errors import UserError, shown, suggestion

BASE_KEY = "_base_"
_OF_BASE = re.compile(r"\{\{\s*_base_\.(\w+)[\w.]*\s*\}\}")  # mmengine's syntax for a value of a base
_TEMPLATE = re.compile(r"\{\{.*?\}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A config file.

    `assigned` are the names it assigns, `used` those it reads, `of_bases` those it reads from its bases.
    """

    path: Path
    assigned: frozenset[str]
    imported: frozenset[str]
    used: frozenset[str]
    of_bases: frozenset[str]


def source_files(path: Path) -> list[SourceFile]:
    """Return the file and all its bases. Returns [] for a file that is not Python: running it gives the better error.

    Raises UserError for a base that is not a Python file: reading other formats may run code or fill the memory.
    """
    found: dict[Path, SourceFile] = {}
    waiting = [path]
    while waiting:
        file = waiting.pop()
        if file.resolve() in found:
            continue
        try:
            text = file.read_text(encoding="utf-8")
            tree = _parse(text)
        except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
            return []
        found[file.resolve()] = _describe(file, text, tree)
        waiting += [_base_path(base, file) for base in _bases(tree, file)]
    return list(found.values())


def _parse(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError:  # mmengine's templates, which it replaces before it runs the file
        return ast.parse(_TEMPLATE.sub("None", text))


def _describe(file: Path, text: str, tree: ast.Module) -> SourceFile:
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    of_bases = set(_OF_BASE.findall(text))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imported |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == BASE_KEY:
            of_bases.add(node.attr)
    return SourceFile(
        path=file,
        assigned=frozenset(node.id for node in names if isinstance(node.ctx, ast.Store)),
        imported=frozenset(imported),
        used=frozenset(node.id for node in names if isinstance(node.ctx, ast.Load)),
        of_bases=frozenset(of_bases),
    )


def _bases(tree: ast.Module, file: Path) -> list[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == BASE_KEY:
            try:
                value = ast.literal_eval(node.value)
            except ValueError:
                value = None
            bases = [value] if isinstance(value, str) else value
            if not isinstance(bases, list | tuple) or not all(isinstance(base, str) for base in bases):
                raise UserError(f"config {file}: _base_ is {shown(value)}, expected the names of Python files")
            return list(bases)
    return []


def _base_path(base: str, file: Path) -> Path:
    base = re.sub(r"\{\{\s*fileDirname\s*\}\}", str(file.parent.resolve()).replace("\\", "/"), base)
    path = file.parent / base
    if path.suffix != ".py":
        raise UserError(f"config {file}: _base_ {shown(base)}: configs are Python files, NAME.py, as those of configs/")
    if not path.is_file():
        raise UserError(f"config {file}: _base_ {shown(base)} does not exist ({path})")
    return path


def check_variables(names: Sequence[Any], sections: Sequence[str], files: Sequence[SourceFile]) -> None:
    """Raise UserError for a name that is not a section and that nothing uses: probably a misspelt section."""
    referred = frozenset().union(*(file.of_bases for file in files))
    for name in names:
        if name in sections or (isinstance(name, str) and name.startswith("_")):
            continue
        owners = [file for file in files if name in file.assigned]
        idle = [file for file in owners if name not in file.used | referred]
        if idle or not (owners or any(name in file.imported for file in files)):
            where = f"in {idle[0].path} " if idle else ""
            raise UserError(
                f"config: unknown key {shown(name)}; {suggestion(name, sections)} "
                f"({where}nothing uses it; a variable of your own has to be used in its file, or to begin with _)"
            )
