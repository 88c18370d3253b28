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

import torch

from mmdet.config import find_config, load_config
from mmdet.engine.checkpoints.baseline_releases import recognise
from mmdet.errors import UserError
from mmdet.models.build import build_model
from mmdet.models.detectors.two_stage_model import TwoStageModel
from mmdet.parity import fcos, sipmask_vis, sipmask_vis_training
from mmdet.parity.checks import Check, of_maximum
from mmdet.parity.inference import Arrays
from mmdet.parity.masktrack_rcnn import first_stage, regions, rpn
from mmdet.parity.masktrack_rcnn import inference as masktrack
from mmdet.parity.masktrack_rcnn import training as masktrack_training
from mmdet.parity.recorded import read_arrays, read_recorded_json
from mmdet.registry import TRACKERS

SHAPES = "state_dict_shapes.json"
PARTS = "parts.npz"
VIDEOS = (0, 1)
MAPS = 2e-5  # of an array's maximum


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
    for video in VIDEOS:
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


@torch.no_grad()
def _map_checks(model: TwoStageModel, recording: Recording) -> Iterator[Check]:
    """Compare the maps of backbone and neck for the first frame."""
    images, _ = masktrack.inputs_of(recording.eval, recording.notes)
    maps = model.backbone(images[:1])
    for prefix, levels, step in (("c", maps, 64), ("p", model.neck(maps), 32)):
        for level, values in enumerate(levels):
            name = f"{prefix}{level}_sub"
            yield of_maximum(f"map {name}", values[:, ::step], recording.eval[name], MAPS)


def _masktrack_part_checks(parts: Arrays) -> Iterator[Check]:
    yield from first_stage.box_part_checks(parts)
    yield from first_stage.nms_part_checks(parts)
    yield from rpn.assignment_part_checks(parts)
    yield from regions.roi_align_checks(parts)


def _masktrack_eval_checks(model: TwoStageModel, recording: Recording) -> Iterator[Check]:
    arrays, notes = recording.eval, recording.notes
    yield from _map_checks(model, recording)
    stage = rpn.FirstStage(backbone=model.backbone, neck=model.neck, head=model.rpn_head)
    yield from rpn.evaluation_checks(stage, masktrack.inputs_of(arrays, notes)[0][:1], arrays, notes)
    yield from masktrack.region_checks(model, arrays, notes)
    yield from masktrack.mask_logit_checks(model, arrays, notes)
    rles, results = recording.json("rles.json"), []
    for video in VIDEOS:
        clip, affinities = masktrack.track_clip(model, arrays, notes, video)
        results.append(clip.result)
        yield from masktrack.clip_checks(clip, affinities, arrays, video)
        yield from masktrack.mask_checks(clip, rles[f"v{video}"])
        if video == 0 and recording.parts is not None:
            released = read_recorded_json(recording.folder.resolve().parent / "parts.json")
            yield from masktrack.empty_start_checks(clip, released["ids_empty_first_frame"])
    yield from masktrack.result_checks(results, recording.json("results_videoseg.json"))


def _masktrack_checks(recording: Recording) -> Iterator[Check]:
    if recording.parts is not None:
        yield from _masktrack_part_checks(recording.parts)
    model = masktrack.recorded_model(recording.seed, recording.shapes)
    yield from _masktrack_eval_checks(model, recording)
    arrays, notes = recording.train, recording.notes
    images, _ = masktrack.inputs_of(arrays, notes, "img_q")
    stage = rpn.FirstStage(backbone=model.backbone, neck=model.neck, head=model.rpn_head)
    yield from rpn.training_checks(stage, images, arrays, notes)
    yield from rpn.region_assignment_checks(arrays)
    yield from regions.mask_target_checks(arrays, images.shape[2:])
    for checks in (
        masktrack_training.assignment_checks,
        masktrack_training.loss_checks,
        masktrack_training.gradient_checks,
    ):
        yield from checks(model, arrays, notes)


FLOAT64 = {"*float64*": "how far the release is from itself in float64; tolerances follow from it"}
EMPTY_FIRST_FRAME = {"parts.json": "mended: a first frame without detections starts a video with no tracks (B6)"}
SYSTEMS = {
    "fcos": System(_fcos_checks, FLOAT64),
    "sipmask_vis": System(_sipmask_vis_checks, {**FLOAT64, **EMPTY_FIRST_FRAME}),
    "masktrack_rcnn": System(_masktrack_checks, FLOAT64),
}
