"""Write files atomically: a crash leaves the old file or the complete new one, never a part."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from mmdet.errors import UserError

_UNFINISHED = ".{name}.{random}.tmp"
_RANDOM_BYTES = 6
# Earlier versions used process ids there.
_LEFTOVER = re.compile(
    rf"\..+\.(?:[0-9a-f]{{{2 * _RANDOM_BYTES}}}|[0-9]{{1,10}})\.tmp", re.DOTALL
)  # before: process ids


def write_atomically(path: str | Path, write: Callable[[BinaryIO], object]) -> None:
    """Let `write(file)` fill a temporary file beside `path`, flush it to the disk, and rename it to `path`.

    Creates the folder if it is missing. Raises UserError with the reason if the file cannot be written; an existing
    file then stays as it was. A symbolic or hard link is replaced, not written through.
    """
    path = Path(path)
    temporary = path.with_name(_UNFINISHED.format(name=path.name, random=secrets.token_hex(_RANDOM_BYTES)))
    if path.exists() and not path.is_file():
        raise UserError(f"{path} cannot be written: it is a folder, a device or a pipe")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = temporary.open("xb")  # exclusively: another process's file of that name is kept  # noqa: SIM115
        try:
            with file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            with suppress(OSError):
                temporary.unlink()
        _sync_folder(path.parent)
    except (OSError, RuntimeError) as error:
        raise UserError(f"{path} cannot be written: {_reason(error)}") from error


def write_text_atomically(path: str | Path, text: str) -> None:
    """Write a text as UTF-8 with `write_atomically`."""
    write_atomically(path, lambda file: file.write(text.encode()))


def set_aside(path: Path) -> Path:
    """Rename a file to the first free name of NAME.1.ENDING, NAME.2.ENDING, ...; return the new name."""
    number = 1
    while os.path.lexists(aside := path.with_name(f"{path.stem}.{number}{path.suffix}")):
        number += 1
    path.rename(aside)
    return aside


def remove_unfinished(folder: Path, names: str) -> None:
    """Delete temporary files that killed processes left, for files whose names match the pattern `names`.

    Call it only while no process writes them.
    """
    for leftover in folder.glob(_UNFINISHED.format(name=names, random="*")):
        if _LEFTOVER.fullmatch(leftover.name):
            leftover.unlink(missing_ok=True)


def _reason(error: BaseException) -> str:
    """Return in one line what went wrong: torch reports a full disk as a RuntimeError about file positions."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(error).partition("\n")[0]


def _sync_folder(folder: Path) -> None:
    """Flush a folder to the disk, so that a new file name survives a power failure."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:  # Windows opens no folders
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
