"""What the work dir of a training run says: its figures, curves, config values, and how it was started."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmdet.config.loading import literal
from mmdet.errors import UserError
from mmdet.report.about import about_results
from mmdet.report.document import Curve
from mmdet.report.training_curves import LOG, read_training_curves

CONFIG = "resolved_config.py"
SELECTED_BY = "AP"
_IN_PER_CENT = ("validation", "tracks at the best F1", "match acc")  # groups of curves
_OF_BEST = ("AP50", "AP75", "AR10", "F1")  # figures of the validation with the best AP


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedRun:
    """One run. `figures` are in the order of a table; None where the run has none."""

    name: str
    folder: Path
    figures: Mapping[str, float | None]
    settings: Mapping[str, str]  # dotted key of the config -> its value as text; {} if there is no config
    curves: Sequence[Curve]
    about: Sequence[tuple[str, str]]


def find_runs(paths: Sequence[Path]) -> list[TrainedRun]:
    """Return the runs of work dirs; a folder of work dirs stands for all of them, in natural order.

    Raises UserError for a path that is neither.
    """
    folders = list(dict.fromkeys(folder for path in paths for folder in _work_dirs(path)))
    names = _short_names(folders)
    return [read_run(folder, name) for folder, name in zip(folders, names, strict=True)]


def _work_dirs(path: Path) -> list[Path]:
    if (path / LOG).is_file():
        return [path]
    inner = sorted(path.glob(f"*/{LOG}"), key=lambda log: _natural(log.parent.name)) if path.is_dir() else []
    if not inner:
        raise UserError(f"{path} is no work dir of a training: it has no {LOG}; give folders that train.py wrote")
    return [log.parent for log in inner]


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Return a key that sorts 2 before 10."""
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in re.split(r"([0-9]+)", name)]


def _short_names(folders: Sequence[Path]) -> list[str]:
    """Return the last parts of each path, as many as it takes to tell them apart."""
    whole = [folder.resolve() for folder in folders]
    for count in range(1, max((len(path.parts) for path in whole), default=0) + 1):
        names = ["/".join(path.parts[-count:]) for path in whole]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in whole]


def read_run(folder: Path, name: str) -> TrainedRun:
    """Read a work dir."""
    curves = read_training_curves(folder)
    return TrainedRun(
        name=name,
        folder=folder,
        figures=_figures(curves),
        settings=dict(_settings(folder / CONFIG)),
        curves=[_of_run(curve, name) for curve in curves if not curve.name.startswith("AP/")],
        about=about_results(None, {}, folder).lines,
    )


def _of_run(curve: Curve, name: str) -> Curve:
    """Return a curve in a chart of its own kind, named after its run; fractions become per cent."""
    own = replace(curve, group=curve.name, name=name)
    if curve.group in _IN_PER_CENT and curve.name != "score_threshold":
        return replace(own, y=[None if value is None else 100 * value for value in curve.y], y_label="%")
    return own


def _figures(curves: Sequence[Curve]) -> dict[str, float | None]:
    """Return the best validation, the last figures of training, speed and memory."""
    known = {curve.name: [(x, y) for x, y in zip(curve.x, curve.y, strict=True) if y is not None] for curve in curves}
    validated = known.get(SELECTED_BY, [])
    best_step, best = max(validated, key=lambda point: point[1], default=(None, None))
    of_best = {name: dict(known.get(name, [])).get(best_step) for name in _OF_BEST}  # type: ignore[arg-type]
    speeds = sorted(y for _, y in known.get("images_per_second", []))
    memory = [y for name in ("peak_gib", "rss_gib") for _, y in known.get(name, [])[-1:]]
    last_loss = known.get("loss", [])[-1:]
    return {
        "steps": max((curve.x[-1] for curve in curves if curve.x), default=None),
        SELECTED_BY: best,
        "at step": best_step,
        **of_best,
        f"last {SELECTED_BY}": validated[-1][1] if validated else None,
        "loss": last_loss[0][1] if last_loss else None,
        "images/s": speeds[len(speeds) // 2] if speeds else None,
        "GiB": memory[0] if memory else None,
    }


def _settings(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the dotted keys and values of a saved config. It is read and not run."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError, RecursionError):
        return
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield from _flat(node.targets[0].id, literal(ast.unparse(node.value)))


def _flat(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield what is inside of dicts and of lists of dicts, each by its dotted key."""
    if isinstance(value, dict) and value:
        for inner, item in value.items():
            yield from _flat(f"{key}.{inner}", item)
    elif isinstance(value, list | tuple) and any(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            yield from _flat(f"{key}.{index}", item)
    else:
        yield key, str(list(value) if isinstance(value, tuple) else value)
