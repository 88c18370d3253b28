"""The page of several runs: one html file in the report's style, with tables of figures and settings, and curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmdet.fileio.atomic import write_atomically
from mmdet.report.about import made_now
from mmdet.report.page import opening_of_page
from mmdet.report.run import check_page
from mmdet.report.runs.comparison import Comparison, compare, figure_text, format_comparison
from mmdet.report.runs.run_folder import CONFIG, TrainedRun, find_runs
from mmdet.report.training_curves import LOG

PAGE = "runs.html"
MOST_LINES = 12  # of a chart; more cannot be told apart
STYLES = ("base.css", "charts.css", "tables.css", "print.css")
SCRIPTS = ("dom.js", "format.js", "table.js", "line_chart.js", "theme.js", "runs.js")


def compare_runs(folders: Sequence[Path], out: Path | None, best_first: bool = False) -> str:
    """Return the tables of runs as text. With `out` write the page there, too, and name it.

    Raises UserError, before anything is written, for a folder that is no work dir and a page that cannot be written.
    """
    runs = find_runs(folders)
    comparison = compare(runs, best_first)
    text = format_comparison(comparison)
    if out is None:
        return text
    page = out / PAGE
    check_page(page, [run.folder / name for run in runs for name in (LOG, CONFIG)])
    write_runs(comparison, page)
    return f"{text}\n{page}"


def write_runs(comparison: Comparison, path: Path) -> None:
    """Write the page, whole or not at all."""
    runs = comparison.runs
    title = runs[0].name if len(runs) == 1 else f"{len(runs)} training runs"
    content = {
        "title": title,
        "made": made_now(),
        "notes": [*comparison.notes, *_left_out(runs)],
        "runs": [_plain(run, comparison, shown=index < MOST_LINES) for index, run in enumerate(runs)],
        "figures": comparison.figure_names,
        "few": list(comparison.few_differences),
        "differences": [{"key": key, "values": list(values)} for key, values in comparison.differences.items()],
    }
    text = opening_of_page(title, STYLES, SCRIPTS, content) + "</body>\n</html>\n"
    write_atomically(path, lambda file: file.write(text.encode(errors="replace")))


def _left_out(runs: Sequence[TrainedRun]) -> list[str]:
    if len(runs) <= MOST_LINES:
        return []
    return [f"curves show the first {MOST_LINES} of {len(runs)} runs; tables show all"]


def _plain(run: TrainedRun, comparison: Comparison, shown: bool) -> dict[str, Any]:
    texts = {name: figure_text(name, run.figures[name]) for name in comparison.figure_names}
    return {
        "name": run.name,
        "best": comparison.is_best(run),
        "figures": dict(run.figures),
        "texts": texts,
        "curves": [asdict(curve) for curve in run.curves] if shown else [],
        "about": [list(line) for line in run.about],
    }
