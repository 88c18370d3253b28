"""Curves of a training run, from the JSON lines of its work dir."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

from mmdet.errors import UserError
from mmdet.report.document import Curve

LOG = "train.jsonl"
MOST_POINTS = 400  # of a curve; longer ones show means of neighbours
_GROUPS = {
    "lr": "learning rate",
    "images_per_second": "speed",
    "grad_norm": "gradient norm",
    "memory_slots_a_step": "written slots of the memory",
    "memory_slots_written": "written slots of the memory",
    "memory_read_entropy": "entropy of reads of the memory",
    **dict.fromkeys(("rss_gib", "allocated_gib", "reserved_gib", "peak_gib"), "memory of the process"),
    **dict.fromkeys(("F1", "F1_precision", "F1_recall", "score_threshold"), "tracks at the best F1"),
}
_BY_CLASS = "AP/"
_UNITS = {"speed": "images/s", "memory of the process": "GiB"}
_ABOUT = ("kind", "step", "epoch")
_Points = list[tuple[int, float | None]]


def read_training_curves(work_dir: Path) -> tuple[Curve, ...]:
    """Return the curves of a run: losses, learning rate, figures of validations, speed, and what else it logged.

    Lines that no run wrote are left out; without a log there are no curves. Raises UserError for a log that cannot be
    read.
    """
    path = work_dir / LOG
    if not path.is_file():
        return ()
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    points: dict[tuple[str, str], _Points] = defaultdict(list)
    for entry in map(_entry, lines):
        for name, value in entry.items():
            if name not in _ABOUT and isinstance(value, int | float) and not isinstance(value, bool):
                points[_group(entry["kind"], name), name].append((entry["step"], _known(entry["kind"], float(value))))
    return tuple(_curve(group, name, own) for (group, name), own in sorted(points.items(), key=_rank))


def _entry(line: str) -> dict[str, Any]:
    """Return the figures of a line, {} if no run wrote it."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    sound = isinstance(entry, dict) and isinstance(entry.get("kind"), str) and type(entry.get("step")) is int
    return entry if sound else {}


def _known(kind: str, value: float) -> float | None:
    """Return a finite value; -1 of a validation says that there was nothing to measure."""
    return value if math.isfinite(value) and not (kind != "train" and value == -1) else None


def _group(kind: str, name: str) -> str:
    if kind != "train":
        return "AP by class" if name.startswith(_BY_CLASS) else _GROUPS.get(name, "validation")
    return "losses" if name.startswith("loss") else _GROUPS.get(name, name.replace("_", " "))


def _rank(item: tuple[tuple[str, str], _Points]) -> int:
    """Return the place of a curve's group; within a group curves stay in the order of the log."""
    group = item[0][0]
    first = ("losses", "validation", "learning rate", "speed")
    return first.index(group) if group in first else len(first)


def _curve(group: str, name: str, points: _Points) -> Curve:
    share = -(-len(points) // MOST_POINTS)
    parts = [points[start : start + share] for start in range(0, len(points), share)]
    return Curve(
        group=group,
        name=name,
        x=[part[-1][0] for part in parts],
        y=[_mean([value for _, value in part if value is not None]) for part in parts],
        x_label="step",
        y_label=_UNITS.get(group, ""),
    )


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
