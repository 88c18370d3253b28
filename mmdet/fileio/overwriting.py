"""Refuse outputs that would destroy an input, before the work starts. Files are compared by identity, not by name.

Links, relative paths and, on some file systems, names that differ only in case can refer to the same file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from mmdet.errors import UserError, shown

AnyPath = str | Path
_Identity = tuple[int, int] | None  # device and inode: identify a file, whatever its names; None: it does not exist


def refuse_overwriting(outputs: Iterable[AnyPath | None], inputs: Iterable[AnyPath | None]) -> None:
    """Raise UserError if one of `outputs` is one of `inputs`, or if two outputs are the same file. None is skipped.

    An output is a file, or an existing folder that will be filled with files whose names are not known yet; such a
    folder must not hold an input. An input is a file, or a folder whose files are read at any depth; none of them may
    be an output.
    """
    targets = [Path(path) for path in outputs if path is not None]
    _refuse_twice(targets)
    existing: dict[_Identity, Path] = {identity: path for path in targets if (identity := _identity(path))}
    if not existing:
        return  # a file that does not exist yet is no input
    folders: dict[str, AnyPath] = {}  # folders that hold inputs, each with one of its inputs
    above = {_identity(parent): path for path in existing.values() for parent in path.resolve().parents}
    for source in (path for path in inputs if path is not None):
        identity = _identity(source)
        if target := existing.get(identity):
            raise UserError(f"output {target} is the input {source}, which would be destroyed: choose another name")
        if target := above.get(identity):
            raise UserError(f"{target} is a file of the input folder {source}: choose another output")
        folders.setdefault(os.path.dirname(source) or ".", source)
    for folder, source in folders.items():
        if target := existing.get(_identity(folder)):
            raise UserError(f"{target} holds the input {source} and would be filled with output: choose another folder")


def _refuse_twice(targets: list[Path]) -> None:
    seen: dict[tuple[_Identity, str], Path] = {}
    for path in targets:
        identity = _identity(path)
        key = (identity, "") if identity else (_identity(path.parent), path.name)
        if key[0] is None:
            key = (None, os.path.abspath(path))
        if key in seen:
            raise UserError(f"{path} and {seen[key]} are one output file: give each a name of its own")
        seen[key] = path


def _identity(path: AnyPath) -> _Identity:
    """Return what identifies a file or folder, None if it does not exist."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # also for a name with a zero byte
        return None
    return status.st_dev, status.st_ino


def check_output_files(outputs: Mapping[str, AnyPath | None], inputs: Iterable[AnyPath | None]) -> None:
    """Check the output files, each named by its option, with `check_output_file` and `refuse_overwriting`."""
    for option, path in outputs.items():
        if path is not None:
            check_output_file(path, option)
    refuse_overwriting(outputs.values(), inputs)


def check_output_file(path: AnyPath, option: str) -> None:
    """Raise UserError that names `option` unless a file can be written to `path`. Its folder need not exist yet."""
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{option} {path} is a folder, expected the name of a file")
    if path.exists() and not path.is_file():
        raise UserError(f"{option} {path} is a device or a pipe, expected the name of a file")
    _check_can_be_filled(path.parent, f"{option} {path}")


def check_output_folder(path: AnyPath, option: str) -> None:
    """Raise UserError that names `option` unless files can be written into the folder `path`. It need not exist yet."""
    _check_can_be_filled(Path(path), f"{option} {path}")


def _check_can_be_filled(folder: Path, what: str) -> None:
    """Raise UserError unless new files can be created in `folder` or in its nearest existing parent."""
    if "\0" in what:
        raise UserError(f"{shown(what)} cannot be written: no name of a file holds a zero byte")
    nearest = folder
    while not os.path.lexists(nearest) and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        raise UserError(f"{what} cannot be written: {nearest} is a file, expected a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f"{what} cannot be written: the folder {nearest} is read-only")
