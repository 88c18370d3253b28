"""Read the numbers recorded with the published release and run all comparisons, for tools/check_golden.py and tests.

A folder holds the numbers of one seed (state_dict.npz, notes.json, rles.json, results_videoseg.json, eval_SIZE.npz and
train_SIZE.npz), the folder `parts` beside it those of single functions. The checks themselves are in inference.py,
training.py and functions.py.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmdet.config import RunConfig
from mmdet.engine.checkpoints.release_names import from_release
from mmdet.errors import UserError
from mmdet.models import VISModel
from mmdet.models.build import build_model
from mmdet.parity import inference as golden_eval
from mmdet.parity import training as golden_train
from mmdet.parity.checks import Check
from mmdet.parity.functions import PART_GROUPS

# MODEL.md 10, last paragraph: the list is complete and must not grow. Patterns of names, with the reason.
NOT_COMPARED: dict[str, str] = {
    "mem_*_train_out": "mended: the memory is written once per step, not before it is read (Q7)",
    "mem_topk_w1": "mended: the release indexes rows by slot numbers (Q11)",
    "regtarget_*": "mended: the release writes the first object that does not contain the point (Q1)",
    "mem_[1-4]": "mended: written per level, background included (Q1, Q2, Q7)",
    "falign_small_*": "mended: maps smaller than the kernel are aligned too (Q23)",
    "assign_objbox_*": "not ours: a mode that no config uses",
    "cnp_NLL*": "not ours: a loss that no config uses",
    "cnp_contrast*": "not ours: a loss that no config uses",
    "tr_box_out_flip1": "mended: the release flips inclusive boxes; ours are tested against flipped masks",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """The recorded numbers of one seed. `sizes` are the two padded input sizes, HEIGHTxWIDTH."""

    state: Mapping[str, np.ndarray]
    notes: Mapping[str, Any]
    rles: Mapping[str, Any]
    results: list[dict[str, Any]]
    eval: Mapping[str, Mapping[str, np.ndarray]]
    train: Mapping[str, Mapping[str, np.ndarray]]

    @property
    def sizes(self) -> list[str]:
        """The recorded sizes, in order of their videos."""
        return list(self.notes)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read an npz file. Raises UserError if it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: name a folder of recorded numbers such as golden/seed0") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read: copy it again ({error})") from error


def read_recorded_json(path: Path) -> Any:
    """Read a json file. Raises UserError if it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: name a folder of recorded numbers such as golden/seed0") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: copy it again ({error})") from error


def read_golden(folder: Path) -> Golden:
    """Read the numbers of one seed. Raises UserError if a file is missing or damaged."""
    notes = read_recorded_json(folder / "notes.json")
    return Golden(
        state=read_arrays(folder / "state_dict.npz"),
        notes=notes,
        rles=read_recorded_json(folder / "rles.json"),
        results=read_recorded_json(folder / "results_videoseg.json"),
        eval={size: read_arrays(folder / f"eval_{size}.npz") for size in notes},
        train={size: read_arrays(folder / f"train_{size}.npz") for size in notes},
    )


def golden_model(config: RunConfig, state: Mapping[str, np.ndarray]) -> VISModel:
    """Build the recorded model with the release's parameters, which float16 stores exactly."""
    model = build_model(config)
    model.load_state_dict(
        from_release({key: torch.from_numpy(value.astype(np.float32)) for key, value in state.items()})
    )
    return model


def eval_checks(model: VISModel, golden: Golden) -> Iterator[Check]:
    """Compare everything recorded in evaluation."""
    results = []
    for video, size in enumerate(golden.sizes):
        arrays = golden.eval[size]
        clip = golden_eval.track_clip(model, arrays, golden.notes[size], video_id=video + 1)
        results.append(clip.result)
        yield from _named(size, golden_eval.network_checks(model, arrays))
        yield from _named(size, golden_eval.head_checks(model, arrays))
        yield from _named(size, golden_eval.detection_checks(clip, arrays))
        yield from _named(size, golden_eval.mask_checks(clip, golden.rles[size]))
    yield from golden_eval.result_checks(results, golden.results, model.num_classes)


def train_checks(model: VISModel, golden: Golden) -> Iterator[Check]:
    """Compare everything recorded in training."""
    for size in golden.sizes:
        arrays, notes = golden.train[size], golden.notes[size]["train"]
        yield from _named(size, golden_train.output_checks(model, arrays))
        yield from _named(size, golden_train.assigner_checks(model, arrays))
        yield from _named(size, golden_train.loss_checks(model, arrays, notes))
        yield from _named(size, golden_train.gradient_checks(model, arrays, notes))
        yield from _named(size, golden_train.frozen_checks(model, arrays, notes))


def part_checks(folder: Path) -> Iterator[Check]:
    """Compare the recorded single functions."""
    arrays, notes = read_arrays(folder / "parts.npz"), read_recorded_json(folder / "parts.json")
    for group, checks in PART_GROUPS.items():
        yield from _named(f"part, {group}:", checks(arrays, notes))


def all_checks(folder: Path, config: RunConfig) -> Iterator[Check]:
    """Compare everything in a seed's folder, and the parts beside it if they are there."""
    golden = read_golden(folder)
    model = golden_model(config, golden.state)
    yield from eval_checks(model, golden)
    yield from train_checks(model, golden)
    parts = folder.resolve().parent / "parts"
    if parts.is_dir():
        yield from part_checks(parts)


def _named(prefix: str, checks: Iterator[Check]) -> Iterator[Check]:
    for check in checks:
        yield Check(f"{prefix} {check.name}", check.error, check.tolerance)
