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

from mmdet.config import find_config, load_config
from mmdet.engine.checkpoints.baseline_releases import recognise
from mmdet.errors import UserError
from mmdet.models.build import build_model
from mmdet.parity import fcos, sipmask_vis, sipmask_vis_training
from mmdet.parity.checks import Check
from mmdet.parity.inference import Arrays
from mmdet.parity.recorded import read_arrays, read_recorded_json
from mmdet.registry import TRACKERS

SHAPES = "state_dict_shapes.json"
PARTS = "parts.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """The recorded numbers of one seed of a system, and where further files lie, which not all systems have."""

    folder: Path
    seed: int
    shapes: Mapping[str, Sequence[int]]  # of the published model's tensors
    notes: Mapping[str, Any]
    eval: Arrays
    train: Arrays
    parts: Arrays | None  # of single functions; None: the system has no such file

    def json(self, name: str) -> Any:
        """Read a json file of the folder. Raises UserError if it is missing or damaged."""
        return read_recorded_json(self.folder / name)


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
    parts = folder.resolve().parent / PARTS
    return Recording(
        folder=folder,
        seed=int(number[1]),
        shapes=read_recorded_json(folder.resolve().parent / SHAPES),
        notes=read_recorded_json(folder / "notes.json"),
        eval=read_arrays(folder / "eval.npz"),
        train=read_arrays(folder / "train.npz"),
        parts=read_arrays(parts) if parts.is_file() else None,
    )


def _fcos_checks(recording: Recording) -> Iterator[Check]:
    notes = recording.notes
    model = fcos.drawn_model(recording.seed, recording.shapes, notes["num_classes"] - 1)  # without the background
    yield from fcos.eval_checks(model, recording.eval, notes)
    yield from fcos.train_checks(model, recording.train, notes)


def _sipmask_vis_checks(recording: Recording) -> Iterator[Check]:
    config = load_config(find_config("baselines/sipmask_vis_r50_1x"))
    model, tracker = build_model(config), TRACKERS.build(config.tracker)
    if recording.parts is not None:
        yield from sipmask_vis.part_checks(recording.parts)
        yield from sipmask_vis.track_part_checks(tracker, recording.parts)
        yield from sipmask_vis_training.target_part_checks(model, recording.parts)
    sipmask_vis.load_drawn(model, recording.seed, recording.shapes)
    numbers = recording.eval, recording.notes
    yield from sipmask_vis.network_checks(model, *numbers)
    rles, clips = recording.json("rles.json"), []
    for video in range(sipmask_vis.NUM_VIDEOS):
        clip, affinities = sipmask_vis.track_clip(model, tracker, *numbers, video)
        clips.append(clip)
        yield from sipmask_vis.clip_checks(clip, affinities, recording.eval, video)
        yield from sipmask_vis.mask_checks(clip, rles[f"v{video}"])
    yield from sipmask_vis.given_factor_checks(model, clips[0], rles["v0_given_factor"], *numbers)
    recorded = recording.json("results_videoseg.json")
    yield from sipmask_vis.result_checks([clip.result for clip in clips], recorded, model.num_classes)
    for checks in (
        sipmask_vis_training.target_checks,
        sipmask_vis_training.loss_checks,
        sipmask_vis_training.gradient_checks,
    ):
        yield from checks(model, recording.train, recording.notes)


FLOAT64 = {"*float64*": "how far the release is from itself in float64; tolerances follow from it"}
EMPTY_FIRST_FRAME = {"parts.json": "mended: a first frame without detections starts a video with no tracks (B6)"}
SYSTEMS = {
    "fcos": System(_fcos_checks, FLOAT64),
    "sipmask_vis": System(_sipmask_vis_checks, {**FLOAT64, **EMPTY_FIRST_FRAME}),
}
