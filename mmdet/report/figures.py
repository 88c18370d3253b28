"""The figures of one set of results against the truth, as the report shows them; how each is defined: docs/report.md.

Average precision and diagnosis take all results; thresholds, association, confusion and counts take tracks, each once,
as its best class: thresholds all, the others those that are shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mmdet.errors import UserError
from mmdet.evaluation.ap.curves import AREA_RANGES, IOU_THRESHOLDS, RECALLS, accumulate, average
from mmdet.evaluation.ap.evaluate import Figures, evaluate, evaluate_videos
from mmdet.evaluation.ap.thresholds import score_curve
from mmdet.evaluation.ap.video import VideoRecord, evaluate_video
from mmdet.evaluation.association.hota import association_figures
from mmdet.evaluation.diagnosis.confusion import Confusion as Counts
from mmdet.evaluation.diagnosis.diagnose import Diagnosis, diagnose
from mmdet.evaluation.tracks.cases import VideoCase, one_per_track
from mmdet.evaluation.tracks.join import join_results, prepare_truth
from mmdet.evaluation.tracks.overlaps import read_overlaps
from mmdet.report.document import ClassFigures, Confusion, Curve, Figure, ThresholdCurve, Waterfall

SHOWN_IOUS = (0.5, 0.75)  # of the precision-recall curves
MOST_CLASSES = 40  # with a curve or a row of the confusion of their own; the others, with fewest objects, are left out
_ALL, _MOST = 0, -1  # all areas, 100 results a video: positions in the evaluation's arrays
_OCCLUSION = {"so": "lightly", "mo": "moderately", "ho": "heavily"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFigures:
    """What the parts of the report about one model hold, and per video id AP, HOTA and IDF1 where they are known."""

    headline: tuple[Figure, ...]
    classes: tuple[ClassFigures, ...]
    precision_recall: tuple[Curve, ...]
    confusion: Confusion
    occlusion: tuple[Figure, ...]
    waterfall: Waterfall | None
    per_video: Mapping[int, Mapping[str, float | None]]
    notes: tuple[str, ...]


def threshold_curve(truth: dict[str, Any], entries: list[dict[str, Any]]) -> ThresholdCurve | None:
    """Return precision and recall over the score; None if no track matches an object."""
    curve = score_curve(truth, entries)
    if curve.best is None:
        return None
    return ThresholdCurve(
        thresholds=curve.thresholds.tolist(),
        precision=curve.precision.tolist(),
        recall=curve.recall.tolist(),
        f1=curve.f1.tolist(),
        tracks=curve.tracks.tolist(),
        suggested=curve.best,
    )


def model_figures(
    truth: dict[str, Any],
    entries: list[dict[str, Any]],
    threshold: float,
    colors: Mapping[int, str],
    workers: int = 1,
) -> ModelFigures:
    """Return all figures of result entries against a truth, parsed jsons; `colors` are #rrggbb by category id.

    Raises UserError as `evaluate` does.
    """
    figures = evaluate(truth, entries, workers=workers)
    diagnosis = diagnose(truth, entries, workers=workers)
    cases, _ = join_results(prepare_truth(truth), entries)
    association, notes = _association(truth, entries, threshold)
    kept = [one_per_track(case, threshold) for case in cases]
    counts = _count(kept, diagnosis.confusion.categories)
    return ModelFigures(
        headline=_headline(figures, association, kept),
        classes=_classes(figures, counts, colors),
        precision_recall=_precision_recall(figures, diagnosis.confusion.categories, counts),
        confusion=_confusion(counts),
        occlusion=_occlusion(figures),
        waterfall=_waterfall(diagnosis),
        per_video=_per_video(cases, association, workers),
        notes=(*figures.warnings, *notes),
    )


def known(value: float) -> float | None:
    """Return a figure of the evaluation, None for its -1, which says that there is nothing to measure."""
    return None if value < 0 else value


def per_cent(value: float | None) -> float | None:
    """Return a fraction in per cent."""
    return None if value is None else 100 * value


def _association(
    truth: dict[str, Any], entries: list[dict[str, Any]], threshold: float
) -> tuple[Mapping[str, Any], list[str]]:
    """Return HOTA and IDF1, overall and per video; without the package that measures them nothing, and a note."""
    try:
        return association_figures(truth, entries, threshold), []
    except UserError as error:
        if "trackeval" not in str(error):
            raise
        return {"overall": {}, "per_video": {}}, [str(error)]


def _count(cases: Sequence[VideoCase], categories: dict[int, str]) -> Counts:
    counts = Counts(categories=categories)
    for case in cases:
        counts.add(case, read_overlaps(case).track_ious)
    return counts


def _headline(figures: Figures, association: Mapping[str, Any], kept: Sequence[VideoCase]) -> tuple[Figure, ...]:
    notes = {
        "AP": "mean over classes and IoU 0.5 to 0.95",
        "AP50": "at IoU 0.5",
        "AP75": "at IoU 0.75",
        "AR10": "recall of the best 10 tracks a video",
    }
    found = [Figure(name=n, value=per_cent(known(figures.stats[n])), unit="%", note=t) for n, t in notes.items()]
    overall = association["overall"]
    found += [
        Figure(name="HOTA", value=per_cent(overall.get("HOTA")), unit="%", note="tracking, classes ignored"),
        Figure(name="IDF1", value=per_cent(overall.get("IDF1")), unit="%", note="identities, at IoU 0.5"),
    ]
    objects = sum(not truth.is_crowd for case in kept for truth in case.truths)
    tracks = sum(len(case.results) for case in kept)
    return (*found, Figure(name="tracks", value=tracks, note=f"shown, of {objects} true objects"))


def _classes(figures: Figures, counts: Counts, colors: Mapping[int, str]) -> tuple[ClassFigures, ...]:
    rows = []
    for category_id, row in counts.per_category().items():
        own = figures.per_category.get(category_id, {})
        ap, ap50, ap75, ar = (known(own.get(name, -1.0)) for name in ("AP", "AP50", "AP75", "AR100"))
        rows.append(
            ClassFigures(
                name=row["name"],
                color=colors[category_id],
                ap=ap,
                ap50=ap50,
                ap75=ap75,
                ar=ar,
                objects=row["objects"],
                found=row["found"],
                as_other=row["as_other"],
                missed=row["missed"],
                false=row["unmatched"],
            )
        )
    return tuple(rows)


def _precision_recall(figures: Figures, categories: Mapping[int, str], counts: Counts) -> tuple[Curve, ...]:
    """Return the mean curves over classes at some IoUs, and that of each class at the first of them."""
    by_class = figures.precision[:, :, :, _ALL, _MOST]  # (T, R, K)
    with_truth = [k for k in range(by_class.shape[2]) if by_class[0, 0, k] > -1]
    if not with_truth:
        return ()
    places = [int(np.flatnonzero(iou == IOU_THRESHOLDS)[0]) for iou in SHOWN_IOUS]
    curves = [
        _curve("all classes", f"IoU {iou:g}", by_class[place][:, with_truth].mean(axis=1).tolist())
        for iou, place in zip(SHOWN_IOUS, places, strict=True)
    ]
    ids = list(categories)
    shown = set(_most_frequent(counts))
    return tuple(curves) + tuple(
        _curve(f"classes at IoU {SHOWN_IOUS[0]:g}", categories[ids[k]], by_class[places[0], :, k].tolist())
        for k in with_truth
        if ids[k] in shown
    )


def _curve(group: str, name: str, precision: list[float]) -> Curve:
    return Curve(group=group, name=name, x=RECALLS.tolist(), y=precision, x_label="recall", y_label="precision")


def _most_frequent(counts: Counts) -> list[int]:
    """Return the categories that get a curve and a row, in order of their ids."""
    rows = counts.per_category()
    ordered = sorted(rows, key=lambda category_id: -(rows[category_id]["objects"] + rows[category_id]["unmatched"]))
    return sorted(ordered[:MOST_CLASSES])


def _confusion(counts: Counts) -> Confusion:
    """Return the table. Classes beyond the most frequent ones share a row and a column."""
    shown = _most_frequent(counts)
    place = {category_id: index for index, category_id in enumerate(shown)}
    others = [category_id for category_id in counts.per_category() if category_id not in place]
    names = [counts.categories[category_id] for category_id in shown]
    if others:
        place |= dict.fromkeys(others, len(names))
        names.append(f"{len(others)} other classes")
    table = [[0] * (len(names) + 1) for _ in range(len(names) + 1)]
    for (true, predicted), count in counts.pairs.items():
        table[place[true]][place[predicted]] += count
    for category_id, count in counts.missed.items():
        table[place[category_id]][-1] += count
    for category_id, count in counts.unmatched.items():
        table[-1][place[category_id]] += count
    return Confusion(names=names, counts=table)


def _occlusion(figures: Figures) -> tuple[Figure, ...]:
    """Return OVIS's figures; none if the truth has no labels of occlusion."""
    if figures.ovis is None:
        return ()
    return tuple(
        Figure(
            name=f"{kind} {word} occluded",
            value=per_cent(known(figures.ovis[f"{kind}_{key}"])),
            unit="%",
        )
        for kind in ("AP", "AR")
        for key, word in _OCCLUSION.items()
    )


def _waterfall(diagnosis: Diagnosis) -> Waterfall | None:
    if diagnosis.ap < 0:
        return None
    gains = {name: diagnosis.gain(name) for name in diagnosis.ap_after}
    return Waterfall(ap=diagnosis.ap, gains=gains, remaining=diagnosis.remaining)


def _per_video(
    cases: Sequence[VideoCase], association: Mapping[str, Any], workers: int
) -> dict[int, dict[str, float | None]]:
    """Return AP, HOTA and IDF1 of each video by itself."""
    records = evaluate_videos(cases, partial(evaluate_video, ranges=AREA_RANGES[:1]), workers)
    return {
        record.video_id: {
            "AP": known(_ap(record)),
            **{name: association["per_video"].get(str(record.video_id), {}).get(name) for name in ("HOTA", "IDF1")},
        }
        for record in records
    }


def _ap(record: VideoRecord) -> float:
    """Return the AP of one video: the mean over the classes that it has objects of."""
    curves = accumulate(record.categories, [own.category_id for own in record.categories], 1)
    return average(curves.precision[..., _ALL, _MOST])
