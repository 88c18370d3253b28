"""The numbered checkpoints of a work dir: their order, their validation figures, and which may be deleted.

A work dir holds `epoch_N.pth`, `step_N.pth`, `best.pth` and an index of the numbered ones in the order of writing, with
their validation figures. The index is checked like foreign input: it can name only such files.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mmdet.engine.checkpoints.file import check_whole, load_checkpoint
from mmdet.errors import UserError, shown
from mmdet.fileio.atomic import remove_unfinished, set_aside, write_text_atomically

INDEX = "checkpoints.json"
BEST = "best.pth"
_NUMBERED = re.compile(r"(?:epoch|step)_[0-9]{1,15}\.pth")

Say = Callable[[str], object]
Figures = dict[str, float | None]


def is_checkpoint_name(name: Any) -> bool:
    """Return whether this is the name of a numbered checkpoint, which a run may write and delete."""
    return isinstance(name, str) and _NUMBERED.fullmatch(name) is not None


def numbered_checkpoints(work_dir: Path) -> list[Path]:
    """Return the files of a folder that are named like numbered checkpoints, by name."""
    if not work_dir.is_dir():
        return []
    return sorted(path for path in work_dir.iterdir() if is_checkpoint_name(path.name) and path.is_file())


def latest_checkpoint(work_dir: Path) -> Path | None:
    """Return the numbered checkpoint that was written last, None if there is none."""
    names = list(_read_index(work_dir))
    return work_dir / names[-1] if names else None


def latest_whole_checkpoint(work_dir: Path, say: Say) -> Path | None:
    """Return the undamaged numbered checkpoint that was written last, None if there is no checkpoint.

    `say` gets a line per damaged checkpoint. Raises UserError if all are damaged.
    """
    names = list(_read_index(work_dir))
    for name in reversed(names):
        try:
            check_whole(work_dir / name)
        except UserError as error:
            say(f"{error}: taking the one before")
        else:
            return work_dir / name
    if names:
        raise UserError(f"all {len(names)} checkpoints in {work_dir} are damaged; start anew without --resume_from")
    return None


def repair_index(work_dir: Path, say: Say) -> None:
    """Rebuild a missing or faulty index from the undamaged checkpoints in the folder, in the order of their steps.

    `say` gets a line about it, and one per file that is left out. Readable figures are kept.
    """
    figures, fault = _parse_index(work_dir)
    files = numbered_checkpoints(work_dir)
    if fault is None or not (files or os.path.lexists(work_dir / INDEX)):
        return
    steps: dict[str, int] = {}
    for path in files:
        try:
            check_whole(path)
            steps[path.name] = _step_of(path)
        except UserError as error:
            say(f"{error}: left out")
    if files and not steps:
        raise UserError(
            f"{work_dir / INDEX} {fault}, and none of the {len(files)} checkpoints there is an undamaged one of a run: "
            "choose another --work_dir"
        )
    order = sorted(steps, key=lambda name: (steps[name], name))
    _write_index(work_dir, {name: figures.get(name) for name in order})
    say(f"{work_dir / INDEX} {fault}: rebuilt from the {len(order)} undamaged checkpoints there")


def _step_of(path: Path) -> int:
    position = load_checkpoint(path).get("position")
    step = position.get("step") if isinstance(position, Mapping) else None
    if type(step) is not int:
        raise UserError(f"{path} holds no state of a training run")
    return step


def index_checkpoint(work_dir: Path, name: str, keep_last: int, keep_best: int = 0) -> None:
    """Add `name` to the index as the latest checkpoint and delete old ones.

    The last ones and those with the best figures are kept.
    """
    make_latest(work_dir, name)
    figures = _read_index(work_dir)
    scored = {other: figure for other, figure in figures.items() if figure is not None}
    best = sorted(scored, key=lambda other: scored[other], reverse=True)[:keep_best]
    # A crash in between leaves names without files in the index, which are ignored.
    for old in list(figures)[:-keep_last]:
        if old not in best:
            (work_dir / old).unlink(missing_ok=True)


def make_latest(work_dir: Path, name: str) -> None:
    """Add `name` to the index as the latest checkpoint."""
    figures = _read_index(work_dir)
    figure = figures.pop(name, None)
    _write_index(work_dir, {**figures, name: figure})


def note_figure(work_dir: Path, name: str, figure: float) -> None:
    """Store the figure of a validation with the checkpoint `name`, if it is in the index."""
    figures = _read_index(work_dir)
    if name in figures:
        _write_index(work_dir, {**figures, name: figure})


def is_indexed(work_dir: Path, name: str) -> bool:
    """Return whether the checkpoint `name` is one of the run in the work dir."""
    return name in _read_index(work_dir)


def forget_checkpoints(work_dir: Path) -> None:
    """Start a new index and rename the best checkpoint of an earlier run.

    Numbered checkpoints of the earlier run stay until one of the same name is written. The index is written at once: a
    missing one would be rebuilt from those of the earlier run.
    """
    _write_index(work_dir, {})
    if os.path.lexists(work_dir / BEST):
        set_aside(work_dir / BEST)


def remove_leftovers(work_dir: Path) -> None:
    """Delete temporary files of processes that were killed while they wrote checkpoints."""
    for names in ("*.pth", INDEX):
        remove_unfinished(work_dir, names)


def _read_index(work_dir: Path) -> Figures:
    """Return the checkpoints in the order of writing, with their validation figures."""
    return _parse_index(work_dir)[0]


def _parse_index(work_dir: Path) -> tuple[Figures, str | None]:
    """Return the valid entries of the index that have a file, and the fault of the index (None without a fault)."""
    index = work_dir / INDEX
    if not os.path.lexists(index):
        return {}, "is missing"
    try:
        values = json.loads(index.read_text(encoding="utf-8"))
        if isinstance(values, list):
            values = dict.fromkeys(values)  # written by a version without figures
    except (OSError, ValueError, RecursionError, TypeError):
        return {}, "is damaged"
    if not isinstance(values, dict):
        return {}, f"holds {shown(values)}"
    foreign = [name for name in values if not is_checkpoint_name(name)]
    fault = f"names {shown(foreign[0])}, which is not a checkpoint of a run" if foreign else None
    figures: Figures = {}
    for name, figure in values.items():
        sound = figure is None or (type(figure) in (int, float) and not math.isnan(figure))
        if not sound:
            fault = fault or f"has {shown(figure)} as the figure of {shown(name)}"
        if is_checkpoint_name(name) and (work_dir / name).is_file():
            figures[name] = figure if sound else None
    return figures, fault


def _write_index(work_dir: Path, figures: Mapping[str, float | None]) -> None:
    write_text_atomically(work_dir / INDEX, json.dumps(figures))
