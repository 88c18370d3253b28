"""Runs side by side: their figures, and the config values in which they differ, as tables of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmdet.engine.process.terminal import aligned_rows
from mmdet.evaluation.ap.tables import per_cent
from mmdet.report.runs.run_folder import SELECTED_BY, TrainedRun

NOTHING = "-"
BEST_MARK = "*"
_NOT_COMPARED = ("work_dir",)
_COUNTS = ("steps", "at step")
_PLAIN = ("loss", "images/s", "GiB")  # not fractions
LONGEST_VALUE = 60  # characters
FEW_KEYS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The runs, and by dotted key of the config the values of all of them where not all are the same."""

    runs: Sequence[TrainedRun]
    differences: Mapping[str, Sequence[str]]  # "-" where a run has no such key
    notes: Sequence[str] = ()

    @property
    def figure_names(self) -> list[str]:
        """The figures that at least one run has."""
        names = list(self.runs[0].figures)
        return [name for name in names if any(run.figures[name] is not None for run in self.runs)]

    @property
    def few_differences(self) -> Mapping[str, Sequence[str]]:
        """The differing values if they are few, as in a sweep, else none."""
        return self.differences if len(self.differences) <= FEW_KEYS else {}

    def is_best(self, run: TrainedRun) -> bool:
        """Return whether no other run has a better AP."""
        own = run.figures[SELECTED_BY]
        others = (other.figures[SELECTED_BY] for other in self.runs)
        return own is not None and all(other is None or other <= own for other in others)


def compare(runs: Sequence[TrainedRun], best_first: bool = False) -> Comparison:
    """Put runs side by side, in their order or by their best AP."""
    if best_first:
        runs = sorted(runs, key=lambda run: -(run.figures[SELECTED_BY] or 0.0))
    without = [run.name for run in runs if not run.settings]
    known = [run for run in runs if run.settings]
    keys = sorted({key for run in known for key in run.settings if key not in _NOT_COMPARED})
    values = {key: [run.settings.get(key, NOTHING) for run in runs] for key in keys}
    differing = {key: found for key, found in values.items() if len({run.settings.get(key) for run in known}) > 1}
    notes = [f"no config can be read in {', '.join(without)}"] if without else []
    return Comparison(runs=runs, differences=differing, notes=notes)


def figure_text(name: str, value: float | None) -> str:
    """Return a figure as people read it: per cent, whole counts, or four digits."""
    if value is None:
        return NOTHING
    if name in _COUNTS:
        return str(int(value))
    return f"{value:.4g}" if name in _PLAIN else per_cent(value)


def format_comparison(comparison: Comparison) -> str:
    """Return the tables for a terminal. Few values that differ stand in the table of figures."""
    names, few = comparison.figure_names, comparison.few_differences
    rows = [["run", *few, *names]]
    for index, run in enumerate(comparison.runs):
        values = [_short(found[index]) for found in few.values()]
        mark = BEST_MARK if comparison.is_best(run) else ""
        rows.append([f"{run.name}{mark}", *values, *(figure_text(name, run.figures[name]) for name in names)])
    lines = [
        *aligned_rows(rows),
        "",
        "figures of the best validation, per cent; loss and the rest of the end of training",
    ]
    if len(comparison.runs) > 1 and not few:
        lines += ["", *_differences(comparison)]
    return "\n".join([*lines, *comparison.notes])


def _differences(comparison: Comparison) -> list[str]:
    if not comparison.differences:
        return ["their configs do not differ"]
    names = [run.name for run in comparison.runs]
    return aligned_rows(
        [["config", *names], *([key, *map(_short, values)] for key, values in comparison.differences.items())]
    )


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."
