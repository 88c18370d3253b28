"""The numbered checkpoints of a work dir: which there are, in what order, with which figures, and which may go.

A work dir holds `epoch_N.pth`, `step_N.pth`, `best.pth` and an index of the numbered ones in the order of writing, with
the figures of their validations. Knows nothing of what is in a checkpoint but whether it is whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from mmdet.engine.checkpoint import check_whole
from mmdet.errors import UserError
from mmdet.fileio.atomic import remove_unfinished, write_text_atomically

INDEX = "checkpoints.json"
BEST = "best.pth"


def latest_checkpoint(work_dir: Path) -> Path | None:
    """Return the numbered checkpoint that was written last, None if there is none."""
    names = list(_read_index(work_dir))
    return work_dir / names[-1] if names else None


def latest_whole_checkpoint(work_dir: Path, say: Callable[[str], object]) -> Path | None:
    """Return the numbered checkpoint that was written last and is whole, None if there is none.

    `say` gets a line for each that is damaged. Raises UserError if all are.
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


def index_checkpoint(work_dir: Path, name: str, keep_last: int, keep_best: int = 0) -> None:
    """Note `name` as the latest checkpoint, and delete all noted ones but the last and those of the best figures."""
    make_latest(work_dir, name)
    figures = _read_index(work_dir)
    scored = {other: figure for other, figure in figures.items() if figure is not None}
    best = sorted(scored, key=lambda other: scored[other], reverse=True)[:keep_best]
    # A crash in between leaves names in the index whose files are gone, and these are not read.
    for old in list(figures)[:-keep_last]:
        if old not in best:
            (work_dir / old).unlink(missing_ok=True)


def make_latest(work_dir: Path, name: str) -> None:
    """Note `name` as the latest checkpoint."""
    figures = _read_index(work_dir)
    figure = figures.pop(name, None)
    _write_index(work_dir, {**figures, name: figure})


def note_figure(work_dir: Path, name: str, figure: float) -> None:
    """Note the figure of a validation beside the checkpoint `name`, if there is one."""
    figures = _read_index(work_dir)
    if name in figures:
        _write_index(work_dir, {**figures, name: figure})


def forget_checkpoints(work_dir: Path) -> None:
    """Start a new index: checkpoints of an earlier run stay until one of their name is written."""
    (work_dir / INDEX).unlink(missing_ok=True)


def remove_leftovers(work_dir: Path) -> None:
    """Delete what processes that were killed while they wrote checkpoints have left."""
    for names in ("*.pth", INDEX):
        remove_unfinished(work_dir, names)


def _read_index(work_dir: Path) -> dict[str, float | None]:
    """Return the checkpoints in the order of writing, with the figures of their validations."""
    index = work_dir / INDEX
    if not index.is_file():
        return {}
    try:
        names = json.loads(index.read_text())
    except ValueError as error:
        raise UserError(f"{index} is damaged; delete it and name the checkpoint to resume from") from error
    figures = names if isinstance(names, dict) else dict.fromkeys(names)  # a list was written before there were figures
    return {name: figure for name, figure in figures.items() if (work_dir / name).is_file()}


def _write_index(work_dir: Path, figures: Mapping[str, float | None]) -> None:
    write_text_atomically(work_dir / INDEX, json.dumps(figures))
