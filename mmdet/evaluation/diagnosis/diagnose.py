"""Find where average precision is lost: score again with correct classes, tracking or masks, and count confusions.

Each repair leaves all other errors in, so the gains show what to work on first and need not add up. A gain may be
negative, because one repair can expose another error. The scheme is TIDE's (Bolya et al., ECCV 2020) for videos.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mmdet.evaluation.ap.evaluate import evaluate
from mmdet.evaluation.ap.tables import per_cent
from mmdet.evaluation.diagnosis.confusion import MATCH_IOU, Confusion
from mmdet.evaluation.diagnosis.repairs import REPAIRS, Entry
from mmdet.evaluation.tracks.join import join_results, prepare_truth
from mmdet.evaluation.tracks.overlaps import read_overlaps

_MAX_CONFUSIONS = 20  # printed; the json has all


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """AP in [0, 1], or -1 if the ground truth has no object to find."""

    ap: float
    ap_after: dict[str, float]  # repair (classes, tracking, masks, all) -> AP
    confusion: Confusion
    warnings: tuple[str, ...]

    def gain(self, repair: str) -> float:
        """Return the AP gained by a repair, 0 without an AP."""
        return self.ap_after[repair] - self.ap

    @property
    def remaining(self) -> float:
        """AP lost to missed objects, missed frames and false objects: the rest after all repairs."""
        return 1 - self.ap_after["all"] if self.ap >= 0 else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return all figures and counts."""
        gains = {name: self.gain(name) for name in self.ap_after}
        figures = {"AP": self.ap, "AP_after": self.ap_after, "gain": gains, "remaining": self.remaining}
        return figures | self.confusion.to_json()


def diagnose(ground_truth: dict[str, Any], results: list[dict[str, Any]], *, workers: int = 1) -> Diagnosis:
    """Re-score result entries after each repair, by masks, and count confusions.

    `workers` processes share the scoring. Raises UserError as `evaluate` does.
    """
    figures = evaluate(ground_truth, results, ovis=False, workers=workers)
    truth = prepare_truth(ground_truth)
    cases, _ = join_results(truth, results)
    repaired: dict[str, list[Entry]] = {name: [] for name in REPAIRS}
    confusion = Confusion(categories=truth.categories)
    for case in cases:
        overlaps = read_overlaps(case)
        confusion.add(case, overlaps.track_ious)
        for name, repair in REPAIRS.items():
            repaired[name] += repair(case, overlaps)
    scored = {name: evaluate(ground_truth, repaired[name], ovis=False, workers=workers) for name in REPAIRS}
    return Diagnosis(
        ap=figures.stats["AP"],
        ap_after={name: after.stats["AP"] for name, after in scored.items()},
        confusion=confusion,
        warnings=figures.warnings,
    )


def format_diagnosis(diagnosis: Diagnosis) -> str:
    """Return the tables: AP and gains by repair, confusions, and counts per category."""
    if diagnosis.ap < 0:
        return "diagnosis: the ground truth has no object to find"
    lines = [f"{'made true':<12}{'AP':>8}{'gain':>8}  per cent", f"{'nothing':<12}{per_cent(diagnosis.ap):>8}"]
    for name, ap in diagnosis.ap_after.items():
        lines.append(f"{name:<12}{per_cent(ap):>8}{100 * diagnosis.gain(name):>+8.1f}")
    lines += [f"what remains, missed and false objects: {per_cent(diagnosis.remaining)}", ""]
    return "\n".join(lines + _confusion_lines(diagnosis.confusion))


def _confusion_lines(confusion: Confusion) -> list[str]:
    names = confusion.categories
    rows = confusion.confusions()
    width = max(map(len, [*names.values(), "predicted"]))
    lines = [f"confused categories (track IoU >= {MATCH_IOU}, whatever the category): {len(rows)}"]
    if rows:
        lines.append(f"  {'true':<{width}}  {'predicted':<{width}}{'count':>8}")
    lines += [f"  {names[a]:<{width}}  {names[b]:<{width}}{count:>8}" for a, b, count in rows[:_MAX_CONFUSIONS]]
    if len(rows) > _MAX_CONFUSIONS:
        lines.append(f"  and {len(rows) - _MAX_CONFUSIONS} more")
    columns = {"objects": "objects", "found": "found", "as_other": "as other", "missed": "missed", "unmatched": "false"}
    lines += ["", f"{'category':<{width}}" + "".join(f"{title:>10}" for title in columns.values())]
    for row in confusion.per_category().values():
        lines.append(f"{row['name']:<{width}}" + "".join(f"{row[key]:>10}" for key in columns))
    return [*lines, "false: results matched with no object; those of low score count too, though they cost little AP"]
