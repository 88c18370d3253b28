"""HOTA (Luiten et al., IJCV 2021), IDF1 and CLEAR of tracks above a score: how well objects are tracked.

TrackEval's metric classes do the counting, in memory and one video after the other; its file formats, data sets and AP
are not used. Frames beyond the annotated ones are left out; if a result is shorter, the object is missed there.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmdet.errors import UserError, extra_remedy
from mmdet.evaluation.association.sequences import read_sequences
from mmdet.evaluation.tracks.cases import ANY_CATEGORY, one_per_track
from mmdet.evaluation.tracks.join import join_results, prepare_truth

# Names and meaning are TrackEval's. Figures are in [0, 1], but MOTA can be negative; those of HOTA are means over its
# 19 thresholds.
_FIGURES = {
    "HOTA": ("HOTA", "DetA", "AssA", "LocA", "DetRe", "DetPr", "AssRe", "AssPr"),
    "Identity": ("IDF1", "IDR", "IDP"),
    "CLEAR": ("MOTA", "MOTP"),
}
_COUNTS = ("IDSW", "CLR_TP", "CLR_FN", "CLR_FP")
_PRINTED = ("HOTA", "DetA", "AssA", "LocA", "IDF1", "MOTA", "IDSW")

_Raw = dict[str, dict[str, Any]]  # metric -> its fields
_Row = dict[str, Any]  # figure -> value, None if absent


def association_figures(
    ground_truth: dict[str, Any], results: list[dict[str, Any]], score_threshold: float
) -> dict[str, Any]:
    """Score the tracks with at least `score_threshold`, each once, as its best class.

    These metrics do not rank results, so they need a threshold. `overall` treats all categories as one; `per_category`
    has the categories with objects or results; `detection_average` adds up their counts; `class_average` is the mean
    over categories with objects; `per_video` has by video id what `overall` has, of videos with objects or results.
    Figures are None without an object, localisation also without a match. Raises
    UserError without the package trackeval and as `evaluate`.
    """
    metrics = _load_metrics()
    if isinstance(score_threshold, bool) or not math.isfinite(score_threshold):
        raise UserError(f"the score threshold is a finite number, got {score_threshold!r}")
    truth = prepare_truth(ground_truth)
    cases, warnings = join_results(truth, results)
    videos: dict[int, dict[int, _Raw]] = defaultdict(dict)  # category -> video -> fields
    objects: Counter[int] = Counter()  # category -> number of masks of objects
    per_video: dict[str, _Row] = {}
    for case in cases:
        for category_id, data in read_sequences(case, score_threshold):
            raw = {name: metric.eval_sequence(data) for name, metric in metrics.items()}
            videos[category_id][case.video_id] = raw
            objects[category_id] += data["num_gt_dets"]
            if category_id == ANY_CATEGORY:
                per_video[str(case.video_id)] = _row(raw, data["num_gt_dets"])
    raws = {key: _combine(metrics, videos[key], "combine_sequences") for key in sorted(videos)}
    overall = raws.pop(ANY_CATEGORY, None)
    pooled = _combine(metrics, raws, "combine_classes_det_averaged") if raws else None
    rows = {key: _row(raw, objects[key]) for key, raw in raws.items()}
    kept = sum(len(one_per_track(case, score_threshold).results) for case in cases)
    if results and not kept:
        warnings.append(f"no result has a score of {score_threshold:g} or more")
    return {
        "score_threshold": float(score_threshold),
        "results_kept": kept,
        "overall": _row(overall, objects[ANY_CATEGORY]),
        "detection_average": _row(pooled, objects[ANY_CATEGORY]),
        "class_average": _mean(list(rows.values())),
        "per_category": {str(key): {"name": truth.categories[key], **row} for key, row in rows.items()},
        "per_video": per_video,
        "warnings": [*truth.warnings, *warnings],
    }


def format_association(figures: Mapping[str, Any]) -> str:
    """Return the table: overall, both averages and each category, in per cent; identity switches (IDSW) as a count."""
    rows = [
        {"name": "overall, any category", **figures["overall"]},
        {"name": "detection average", **figures["detection_average"]},
        {"name": "class average", **figures["class_average"]},
        *figures["per_category"].values(),
    ]
    width = max(len(row["name"]) for row in rows)
    title = (
        f"association of the {figures['results_kept']} tracks with score >= {figures['score_threshold']:g}, per cent"
    )
    lines = [title, " " * width + "".join(f"{name:>8}" for name in _PRINTED)]
    lines += [f"{row['name']:<{width}}" + "".join(_cell(row.get(name)) for name in _PRINTED) for row in rows]
    return "\n".join([*lines, *(f"warning: {warning}" for warning in figures["warnings"])])


def _load_metrics() -> dict[str, Any]:
    try:
        from trackeval.metrics import CLEAR, HOTA, Identity
    except ImportError as error:
        raise UserError(f"HOTA, IDF1 and CLEAR need the package trackeval: {extra_remedy('hota')}") from error
    return {  # by default they print their settings
        "HOTA": HOTA(),
        "Identity": Identity({"PRINT_CONFIG": False}),
        "CLEAR": CLEAR({"PRINT_CONFIG": False}),
    }


def _combine(metrics: Mapping[str, Any], raws: Mapping[Any, _Raw], method: str) -> _Raw:
    """Combine the fields of several videos or categories with the metric's own `method`."""
    return {name: getattr(m, method)({key: raw[name] for key, raw in raws.items()}) for name, m in metrics.items()}


def _row(raw: _Raw | None, num_objects: int) -> _Row:
    """Return figures and counts. `num_objects` is the number of masks to find."""
    counts = {name: int(raw["CLEAR"][name]) if raw else 0 for name in _COUNTS}
    names = [(metric, name) for metric, own in _FIGURES.items() for name in own]
    if raw is None or not num_objects:
        return dict.fromkeys((name for _, name in names), None) | counts
    figures: _Row = {name: float(np.mean(raw[metric][name])) for metric, name in names}
    # Means over matches: without a match TrackEval reports 1 and 0.
    if not np.any(raw["HOTA"]["HOTA_TP"]):
        figures["LocA"] = None
    if not counts["CLR_TP"]:
        figures["MOTP"] = None
    return figures | counts


def _mean(rows: Sequence[_Row]) -> _Row:
    """Return the mean of each figure over the rows that have it."""
    found: _Row = {}
    for name in (name for own in _FIGURES.values() for name in own):
        present = [row[name] for row in rows if row[name] is not None]
        found[name] = float(np.mean(present)) if present else None
    return found


def _cell(value: float | int | None) -> str:
    # unlike in the other tables, -1 is a value: MOTA can be -1
    shown = f"{value}" if isinstance(value, int) else "-" if value is None else f"{100 * value:.1f}"
    return f"{shown:>8}"
