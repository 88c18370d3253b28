"""Checkpoint files: written whole or not at all, read without running code, fitted to a model strictly.

A work dir holds `epoch_N.pth`, `step_N.pth`, `best.pth` and an index of the numbered ones in the order of writing.
Knows nothing of training; what a checkpoint contains is the trainer's business, but for the weights under `model`.
"""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mmdet.config import UserError
from mmdet.ops.files import write_atomically

INDEX = "checkpoints.json"
BEST = "best.pth"
SHOWN_KEYS = 5  # of each kind, in an error message


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write `state`; at every moment `path` is the old file or the whole new one. Raises UserError if it fails."""
    write_atomically(path, lambda file: torch.save(dict(state), file))


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint to the CPU; only tensors and plain values are accepted.

    Raises UserError for a file that is missing, damaged, no checkpoint, or holds other objects.
    """
    if not Path(path).is_file():
        raise UserError(f"checkpoint {path} does not exist")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        foreign = re.search(r"GLOBAL (\S+)", str(error))
        if foreign is None:
            raise UserError(f"{path} is not a checkpoint, or is damaged") from error
        raise UserError(
            f"checkpoint {path} holds an object of {foreign[1]}: refused, as loading it could run code; "
            "only tensors and plain values are read"
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise UserError(f"{path} is not a checkpoint, or is damaged (cut off?): copy or write it again") from error
    if not isinstance(state, dict):
        raise UserError(f"{path} is not a checkpoint: it holds a {type(state).__name__}, expected a dict")
    return state


def weights_of(checkpoint: Mapping[str, Any], source: str | Path) -> dict[str, Tensor]:
    """Return the model's tensors: the entry `model` or `state_dict`, or the checkpoint itself if it is all tensors."""
    for key in ("model", "state_dict"):
        if isinstance(checkpoint.get(key), Mapping):
            return dict(checkpoint[key])
    if checkpoint and all(isinstance(value, Tensor) for value in checkpoint.values()):
        return dict(checkpoint)
    raise UserError(f"{source} has no weights: neither a key 'model' nor 'state_dict'; it has {list(checkpoint)[:10]}")


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
    return f"{len(keys)} {kind} ({', '.join(keys[:SHOWN_KEYS])}{more})"


def latest_checkpoint(work_dir: Path) -> Path | None:
    """Return the numbered checkpoint that was written last, None if there is none."""
    names = _read_index(work_dir)
    return work_dir / names[-1] if names else None


def index_checkpoint(work_dir: Path, name: str, keep_last: int) -> None:
    """Note `name` as the latest checkpoint, and delete all but the last `keep_last` noted ones."""
    names = [other for other in _read_index(work_dir) if other != name] + [name]
    kept = names[-keep_last:]
    write_atomically(work_dir / INDEX, lambda file: file.write(json.dumps(kept).encode()))
    for old in names[:-keep_last]:
        (work_dir / old).unlink(missing_ok=True)


def forget_checkpoints(work_dir: Path) -> None:
    """Start a new index: checkpoints of an earlier run stay until one of their name is written."""
    (work_dir / INDEX).unlink(missing_ok=True)


def _read_index(work_dir: Path) -> list[str]:
    index = work_dir / INDEX
    if not index.is_file():
        return []
    try:
        names = json.loads(index.read_text())
    except ValueError as error:
        raise UserError(f"{index} is damaged; delete it and name the checkpoint to resume from") from error
    return [name for name in names if (work_dir / name).is_file()]
