"""Recorded numbers of the published baselines: which system a folder's are of, and all comparisons with them.

Folders are SYSTEM/seedN; beside them lie the keys and shapes of the published model and, of some systems, parts.npz.
Source: BASELINES.md 7.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdet.engine.checkpoints.baseline_releases import recognise
from mmdet.errors import UserError
from mmdet.parity import fcos
from mmdet.parity.checks import Check
from mmdet.parity.inference import Arrays
from mmdet.parity.recorded import read_arrays, read_recorded_json

SHAPES = "state_dict_shapes.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """The recorded numbers of one seed of a system. `folder` has further files, which not all systems have."""

    folder: Path
    seed: int
    shapes: Mapping[str, Sequence[int]]  # of the published model's tensors
    notes: Mapping[str, Any]
    eval: Arrays
    train: Arrays


@dataclass(frozen=True, slots=True)
class System:
    """What compares a system's numbers, and which numbers are not compared, with the reasons."""

    checks: Callable[[Recording], Iterator[Check]]
    not_compared: Mapping[str, str]


def system_of(folder: Path) -> str | None:
    """Return the system that a folder's numbers are of, None if they are of no baseline.

    Raises UserError for a system without comparisons.
    """
    shapes = folder.resolve().parent / SHAPES
    if not shapes.is_file():
        return None
    release = recognise(read_recorded_json(shapes))
    if release is None or release.system not in SYSTEMS:
        raise UserError(f"{shapes}: the model of these keys is none that is compared: {', '.join(SYSTEMS)}")
    return release.system


def read_recording(folder: Path) -> Recording:
    """Read the numbers of one seed. Raises UserError if a file is missing or damaged, or for a name without a seed."""
    number = re.fullmatch(r"seed(\d+)", folder.resolve().name)
    if number is None:
        raise UserError(f"{folder}: the weights are drawn by the seed: name the folder seed0, seed1, ...")
    return Recording(
        folder=folder,
        seed=int(number[1]),
        shapes=read_recorded_json(folder.resolve().parent / SHAPES),
        notes=read_recorded_json(folder / "notes.json"),
        eval=read_arrays(folder / "eval.npz"),
        train=read_arrays(folder / "train.npz"),
    )


def _fcos_checks(recording: Recording) -> Iterator[Check]:
    notes = recording.notes
    model = fcos.drawn_model(recording.seed, recording.shapes, notes["num_classes"] - 1)  # without the background
    yield from fcos.eval_checks(model, recording.eval, notes)
    yield from fcos.train_checks(model, recording.train, notes)


FLOAT64 = {"*float64*": "how far the release is from itself in float64; tolerances follow from it"}
SYSTEMS = {"fcos": System(_fcos_checks, FLOAT64)}
