"""Checkpoint files: written whole or not at all, read without running code, fitted to a model strictly.

Files of the published release are recognised by their keys; their weights come out under this package's names. Knows
nothing of training or of work dirs; what a checkpoint contains is the trainer's business, but for the weights under
`model`.
"""

from __future__ import annotations

import pickle
import pickletools
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile, is_zipfile

import torch
from torch import Tensor, nn

from mmdet.errors import SHOWN_LENGTH, UserError, shown
from mmdet.fileio.atomic import write_atomically
from mmdet.models.release_layout import from_release, is_release

SHOWN_KEYS = 5  # of each kind, in an error message
LONGEST_KEY = 200  # characters, with the shapes beside it
MOST_TUPLES = (
    50_000  # of a checkpoint: some twelve a tensor with an optimiser's state; above 100,000 Python breaks down
)
DATA_PARALLEL = "module."  # what data-parallel wrappers put before every name
TRUST_OPTION = (
    "--trust-checkpoint of train.py, test_video.py, tools/track_video.py or tools/convert_checkpoint.py loads it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A model's tensors under this package's names, a line that says where they come from, and its classes if known."""

    tensors: dict[str, Tensor]
    origin: str
    class_names: tuple[str, ...] | None = None  # in the order of labels


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write `state`; at every moment `path` is the old file or the whole new one. Raises UserError if it fails."""
    write_atomically(path, lambda file: torch.save(dict(state), file))


def load_checkpoint(path: str | Path, trusted: bool = False) -> dict[str, Any]:
    """Read a checkpoint to the CPU; only tensors and plain values are accepted, unless the file is `trusted`.

    A trusted file may hold any object, and may run any code: its origin must be known. Raises UserError for a file
    that is missing, damaged, no checkpoint, or holds other objects.
    """
    if not Path(path).is_file():
        raise UserError(f"checkpoint {path} does not exist")
    if not trusted:
        _check_claims(Path(path))
    try:
        state = torch.load(path, map_location="cpu", weights_only=not trusted)
    except PermissionError as error:
        raise UserError(f"checkpoint {path} cannot be read: {error.strerror}") from error
    except Exception as error:  # what damaged bytes raise depends on where they are
        raise UserError(_why_unreadable(path, error, trusted)) from error
    if not isinstance(state, dict):
        raise UserError(f"{path} is not a checkpoint: it holds a {type(state).__name__}, expected a dict")
    return state


def _check_claims(path: Path) -> None:
    """Raise UserError for a zip that unpacks to more than it holds, or with tuples enough to overflow Python's stack.

    Both can take the process down before torch's reader refuses anything; whatever else is wrong is left to it.
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


def weights_of(checkpoint: Mapping[str, Any], source: str | Path) -> dict[str, Tensor]:
    """Return the model's tensors under this package's names.

    They are the entry `model` or `state_dict`, or the checkpoint itself if it is all tensors; `module.` before every
    name is dropped, and the release's names are translated. Raises UserError where there are no weights, where one is
    no tensor, and for a release with keys missing or unknown.
    """
    weights = _tensors_of(checkpoint, source)
    if not is_release(weights):
        return weights
    try:
        return from_release(weights)
    except ValueError as error:
        raise UserError(f"{source} is a checkpoint of the published release, but has {error}") from error


def read_weights(path: str | Path, trusted: bool = False) -> Weights:
    """Read the model's tensors of a checkpoint file. Raises UserError like load_checkpoint and weights_of."""
    checkpoint = load_checkpoint(path, trusted)
    released = is_release(_tensors_of(checkpoint, path))
    origin = f"weights from {path}" + (", recognised as a checkpoint of the published release" if released else "")
    return Weights(tensors=weights_of(checkpoint, path), origin=origin, class_names=_class_names(checkpoint))


def _class_names(checkpoint: Mapping[str, Any]) -> tuple[str, ...] | None:
    about = checkpoint.get("about")
    names = about.get("class_names") if isinstance(about, Mapping) else None
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        return None
    return tuple(names) or None


def _tensors_of(checkpoint: Mapping[str, Any], source: str | Path) -> dict[str, Tensor]:
    entries = [checkpoint[key] for key in ("model", "state_dict") if isinstance(checkpoint.get(key), Mapping)]
    if not entries and checkpoint and all(isinstance(value, Tensor) for value in checkpoint.values()):
        entries = [checkpoint]
    if not entries:
        has = ", ".join(map(shown, list(checkpoint)[:10]))
        raise UserError(f"{source} has no weights: neither a key 'model' nor 'state_dict'; it has {has or 'none'}")
    weights = {str(key): value for key, value in entries[0].items()}
    foreign = [f"{key} (a {kind})" for key, value in weights.items() if (kind := _foreign_kind(value))]
    if foreign:
        raise UserError(f"the weights of {source} must be tensors; {_listed('are not', foreign)}")
    if all(key.startswith(DATA_PARALLEL) for key in weights):
        return {key.removeprefix(DATA_PARALLEL): value for key, value in weights.items()}
    return weights


def _foreign_kind(value: Any) -> str | None:
    """Return what a weight is, None if it is a tensor with numbers that can be copied."""
    if not isinstance(value, Tensor):
        return type(value).__name__
    if value.is_meta or value.is_quantized or value.layout is not torch.strided:
        return "tensor without numbers" if value.is_meta else "sparse or quantised tensor"
    return None


def load_weights(model: nn.Module, weights: Mapping[str, Tensor], source: str | Path) -> None:
    """Copy `weights` into the model. Raises UserError unless keys and shapes are exactly the model's."""
    own = model.state_dict()
    problems = [
        _listed("missing", [key for key in own if key not in weights]),
        _listed("unexpected", [key for key in weights if key not in own]),
        _listed(
            "of another shape",
            [
                f"{key} {tuple(weights[key].shape)} instead of {tuple(own[key].shape)}"
                for key in own
                if key in weights and weights[key].shape != own[key].shape
            ],
        ),
    ]
    if any(problems):
        raise UserError(f"{source} does not fit the model of this config: {'; '.join(filter(None, problems))}")
    model.load_state_dict(weights)


def _listed(kind: str, keys: Sequence[str]) -> str:
    if not keys:
        return ""
    more = ", ..." if len(keys) > SHOWN_KEYS else ""
    names = [key if len(key) <= LONGEST_KEY else f"{key[:LONGEST_KEY]}..." for key in keys[:SHOWN_KEYS]]
    return f"{len(keys)} {kind} ({', '.join(names)}{more})"


def check_whole(path: Path) -> None:
    """Raise UserError unless a checkpoint of this package is all there: torch reads changed bytes without noticing."""
    if not path.is_file():
        raise UserError(f"checkpoint {path} does not exist")
    try:
        with ZipFile(path) as archive:
            damaged = archive.testzip()
    except (OSError, BadZipFile, EOFError, ValueError, RuntimeError, NotImplementedError, struct.error) as error:
        raise UserError(f"{path} is not a checkpoint, or is damaged (cut off?): {error}") from error
    if damaged is not None:
        raise UserError(f"{path} is damaged: its part {damaged} has changed since it was written")
