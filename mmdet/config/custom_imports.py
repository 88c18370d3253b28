"""Import the modules with a user's own parts that a config names, from beside the config or installed."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType

from mmdet.errors import UserError, shown


def import_custom(modules: Sequence[str], folders: Sequence[Path]) -> None:
    """Import modules by their dotted names. `folders` are searched first, in their order, then Python's path.

    The folders stay at the end of sys.path, where they hide no installed package, so that the modules can import each
    other, also in new processes. Raises UserError for a module that cannot be imported.
    """
    for folder in map(str, folders):
        if folder not in sys.path:
            sys.path.append(folder)
    importlib.invalidate_caches()
    for name in modules:
        if not all(part.isidentifier() for part in name.split(".")):
            raise UserError(f"custom_imports: {shown(name)} is not the name of a module such as my_package.my_part")
        try:
            _import_from(folders, name.partition(".")[0])
            importlib.import_module(name)
        except UserError:
            raise
        except ModuleNotFoundError as error:
            where = ", ".join(map(str, folders))
            raise UserError(f"custom_imports: {name} cannot be imported: {error}; looked in {where} too") from error
        except Exception as error:  # a user's module can raise anything when it runs
            raise UserError(
                f"custom_imports: {name} cannot be imported: {type(error).__name__}: {error}{_line_of(error)}"
            ) from error


def _import_from(folders: Sequence[Path], package: str) -> None:
    """Import a top-level module from the folders if it is there, even if another is installed under its name."""
    spec = PathFinder.find_spec(package, [str(folder) for folder in folders])
    if spec is None or spec.loader is None:  # not found, or a folder of modules without code of its own
        return
    present = sys.modules.get(package)
    if present is None:
        if package in sys.stdlib_module_names:
            raise UserError(f"custom_imports: {package} is a module of Python itself: rename {spec.origin}")
        _run(spec, package)
    elif not _is_of(present, spec) and package != __name__.partition(".")[0]:
        raise UserError(
            f"custom_imports: {package} is in use already, from {getattr(present, '__file__', 'elsewhere')}: "
            f"rename {spec.origin}"
        )


def _is_of(module: ModuleType, spec: ModuleSpec) -> bool:
    """Return whether a module was loaded from the file of `spec`."""
    origin = getattr(module, "__file__", None)
    return bool(origin and spec.origin) and Path(str(origin)).resolve() == Path(str(spec.origin)).resolve()


def _run(spec: ModuleSpec, package: str) -> None:
    module = module_from_spec(spec)
    sys.modules[package] = module
    try:
        spec.loader.exec_module(module)  # type: ignore[union-attr]
    except BaseException:
        del sys.modules[package]
        raise


def _line_of(error: Exception) -> str:
    """Return the place at which a module failed, as ` (FILE, line N)`."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or isinstance(error, SyntaxError):  # a syntax error already names its place
        return ""
    return f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})"
