"""Tables of figures for people: overall, OVIS if there are labels, and per category.

On screen figures are per cent with one decimal, and -1 (nothing to measure) is a dash; in files they are fractions.
"""

from __future__ import annotations

from collections.abc import Iterable

from mmdet.evaluation.ap.evaluate import Figures

_COLUMNS = ("AP", "AP50", "AP75", "AR100")
_OVERALL_ROW = 6  # figures per line


def per_cent(value: float) -> str:
    """Return a fraction as per cent with one decimal, a dash for -1."""
    return "-" if value < 0 else f"{100 * value:.1f}"


def format_figures(figures: Figures, title: str = "all categories") -> str:
    """Return the tables and warnings of an evaluation."""
    lines = _overall(title, figures.stats)
    if figures.ovis is None:
        lines += ["", "OVIS figures: left out, they need an occlusion label for every annotated frame"]
    else:
        lines += ["", *_overall("OVIS (so, mo, ho: light, medium, heavy occlusion)", figures.ovis)]
    width = max((len(row["name"]) for row in figures.per_category.values()), default=0)
    width = max(width, len("category"))
    lines += ["", f"{'id':>6}  {'category':<{width}}" + _cells(_COLUMNS)]
    for category_id, row in figures.per_category.items():
        lines.append(f"{category_id:>6}  {row['name']:<{width}}" + _cells(per_cent(row[name]) for name in _COLUMNS))
    lines += [f"warning: {warning}" for warning in figures.warnings]
    return "\n".join(lines)


def format_agnostic(figures: Figures) -> str:
    """Return the overall table of a class-agnostic evaluation."""
    return "\n".join(_overall("all categories as one", figures.stats))


def _overall(title: str, stats: dict[str, float]) -> list[str]:
    names = list(stats)
    lines = [f"{title}, per cent"]
    for start in range(0, len(names), _OVERALL_ROW):
        row = names[start : start + _OVERALL_ROW]
        lines += [_cells(row), _cells(per_cent(stats[name]) for name in row)]
    return lines


def _cells(values: Iterable[str]) -> str:
    return "".join(f"{value:>8}" for value in values)
