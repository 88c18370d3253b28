"""A match of categories as a table for the user: what becomes what, why, and what is left out with how many tracks."""

from __future__ import annotations

from collections.abc import Mapping

from mmdet.fileio.categories.matching import CategoryMatch


def table_of_training(match: CategoryMatch, tracks: Mapping[str, int], ann_file: str) -> str:
    """Return the table of a training set's categories as the model's classes. `tracks`: their number, by name."""
    total, lost = sum(tracks.values()), sum(tracks.get(name, 0) for name in match.unmatched)
    known = len(match.names) - len(match.unmatched)
    lines = [f"{ann_file}: {known} of {len(match.names)} categories are classes of the model"]
    lines[0] += f"; {lost} of {total} tracks are left out" if lost else ", with all tracks"
    lines += _rows(match, {name: f"{tracks.get(name, 0)} tracks" for name in match.names})
    if match.without:
        lines.append(f"  classes of the model that it does not have: {', '.join(match.without)}")
    return "\n".join(lines)


def table_of_testing(match: CategoryMatch, tracks: Mapping[str, int], ann_file: str) -> str:
    """Return the table of a model's classes as a test set's categories. `tracks`: those of the truth, by name."""
    common = len(match.others) - len(match.without)
    lines = [f"{ann_file}: {common} of {len(match.others)} categories are known to the model, the others do not count"]
    lines += _rows(match, {})
    if match.without:
        named = (f"{name} ({tracks[name]} tracks)" if tracks.get(name) else name for name in match.without)
        lines.append(f"  categories that the model does not know, left out: {', '.join(named)}")
    return "\n".join(lines)


def _rows(match: CategoryMatch, ends: Mapping[str, str]) -> list[str]:
    others = [match.others[target] if target is not None else "left out" for target in match.targets]
    widths = [max(map(len, column), default=0) for column in (match.names, others)]
    rows = []
    for name, other, why in zip(match.names, others, match.reasons, strict=True):
        note = why if not why.startswith("left out") else "as given"
        cells = (name.ljust(widths[0]), other.ljust(widths[1]), ends.get(name, ""), note)
        rows.append("  " + "  ".join(cell for cell in cells if cell).rstrip())
    return rows
