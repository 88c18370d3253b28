"""Checkpoint files: written atomically, and read without running code."""

from __future__ import annotations

import pickle
import pickletools
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile, is_zipfile

import torch

from mmdet.errors import SHOWN_LENGTH, UserError
from mmdet.fileio.atomic import write_atomically

MOST_TUPLES = 50_000  # in a checkpoint: about twelve per tensor with an optimiser's state; above 100,000 Python crashes
TRUST_OPTION = "--trust-checkpoint of `memcnp train`, `test`, `predict` or `convert-checkpoint` loads it"


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write `state`.

    At every moment `path` is the old file or the complete new one. Raises UserError if writing fails.
    """
    write_atomically(path, lambda file: torch.save(dict(state), file))


def load_checkpoint(path: str | Path, trusted: bool = False) -> dict[str, Any]:
    """Read a checkpoint to the CPU. Only tensors and plain values are accepted, unless the file is `trusted`.

    A trusted file may hold any object and so may run any code: use it only for files of known origin. Raises UserError
    for a file that is missing, damaged, not a checkpoint, or holds other objects.
    """
    if not Path(path).is_file():
        raise UserError(f"checkpoint {path} does not exist")
    if not trusted:
        _check_claims(Path(path))
    try:
        state = torch.load(path, map_location="cpu", weights_only=not trusted)
    except PermissionError as error:
        raise UserError(f"checkpoint {path} cannot be read: {error.strerror}") from error
    except Exception as error:  # the error for damaged bytes depends on their position
        raise UserError(_why_unreadable(path, error, trusted)) from error
    if not isinstance(state, dict):
        raise UserError(f"{path} is not a checkpoint: it holds a {type(state).__name__}, expected a dict")
    return state


def _check_claims(path: Path) -> None:
    """Raise UserError for a zip that claims more bytes than it holds, or has enough tuples to overflow Python's stack.

    Both can crash the process before torch's reader refuses them; torch's reader checks everything else.
    """
    try:
        with ZipFile(path) as archive:
            parts = archive.infolist()
            if sum(part.file_size for part in parts) > path.stat().st_size:
                raise UserError(f"checkpoint {path} is not torch's: its parts claim more bytes than it has")
            for part in parts:
                if part.filename.endswith("data.pkl"):
                    _check_tuples(path, archive.read(part))
    except (OSError, BadZipFile, EOFError, ValueError, RuntimeError, NotImplementedError, LookupError, struct.error):
        return


def _check_tuples(path: Path, program: bytes) -> None:
    count = 0
    for instruction, _, _ in pickletools.genops(program):
        count += instruction.name.startswith("TUPLE")
        if count > MOST_TUPLES:
            raise UserError(f"checkpoint {path} holds more than {MOST_TUPLES} tuples: it is not of a model")


def _why_unreadable(path: str | Path, error: Exception, trusted: bool) -> str:
    if trusted and isinstance(error, (ImportError, AttributeError)):
        reason = str(error).partition("\n")[0]
        return f"checkpoint {path} holds an object that cannot be built here: {reason}"
    if not trusted and isinstance(error, pickle.UnpicklingError):
        foreign = re.search(r"GLOBAL (\S+)", str(error))
        if foreign or is_zipfile(path):
            what = f"an object of {foreign[1][:SHOWN_LENGTH]}" if foreign else "what torch's safe reader does not know"
            return (
                f"checkpoint {path} holds {what}: refused, as loading it could run code; only tensors and plain values "
                f"are read. If you know where the file comes from and trust it: {TRUST_OPTION}"
            )
    return f"{path} is not a checkpoint, or is damaged (cut off?): copy or write it again"


def check_whole(path: Path) -> None:
    """Raise UserError unless all checksums of a checkpoint of this package fit: torch does not notice changed bytes."""
    if not path.is_file():
        raise UserError(f"checkpoint {path} does not exist")
    try:
        with ZipFile(path) as archive:
            damaged = archive.testzip()
    except (OSError, BadZipFile, EOFError, ValueError, RuntimeError, NotImplementedError, struct.error) as error:
        raise UserError(f"{path} is not a checkpoint, or is damaged (cut off?): {error}") from error
    if damaged is not None:
        raise UserError(f"{path} is damaged: its part {damaged} has changed since it was written")
