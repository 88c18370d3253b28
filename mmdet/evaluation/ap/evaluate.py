"""Average precision and recall of video instance segmentation: the figures of YTVOSeval and, with labels, of OVISeval.

On input that the official evaluators accept the figures equal theirs to the last bit; irregular input follows their
rules with a warning. Videos are evaluated one at a time, then combined.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdet.evaluation.ap.curves import AREA_RANGES, IOU_THRESHOLDS, MAX_RESULTS, Curves, accumulate, average
from mmdet.evaluation.ap.occlusion import OCCLUSION_RANGES, ovis_stats
from mmdet.evaluation.ap.thresholds import ScoreCurve, curve_of
from mmdet.evaluation.ap.video import IoUType, VideoRecord, evaluate_video
from mmdet.evaluation.tracks.cases import ANY_CATEGORY, VideoCase, without_categories
from mmdet.evaluation.tracks.join import join_results, prepare_truth
from mmdet.ops.workers import in_processes

_ALL = 0  # index of the range that contains all areas
_MOST = len(MAX_RESULTS) - 1
_CHUNKS_A_WORKER = 8  # videos differ in length; small shares balance the load


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The result of an evaluation; -1 means absent."""

    stats: dict[str, float]  # the 12 figures in the official order, unrounded
    per_category: dict[int, dict[str, Any]]  # name, AP, AP50, AP75, AR100 of the categories with ground truth
    ovis: dict[str, float] | None  # the 18 figures of OVISeval; None unless all of the truth has occlusion labels
    precision: NDArray[np.float64]  # (T, R, K, A, M), see curves.py
    recall: NDArray[np.float64]  # (T, K, A, M)
    scores: NDArray[np.float64]  # (T, R, K, A, M)
    score_curve: ScoreCurve  # what is reached when only tracks from a score on are kept, at an IoU of 0.5
    class_curves: dict[int, ScoreCurve]  # the same of each category with ground truth
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the figures without the arrays."""
        per_category = {str(category_id): figures for category_id, figures in self.per_category.items()}
        return {"stats": self.stats, "per_category": per_category, "ovis": self.ovis}


def evaluate(
    ground_truth: dict[str, Any],
    results: list[dict[str, Any]],
    *,
    iou_type: IoUType = "segm",
    class_agnostic: bool = False,
    ovis: bool | None = None,
    strict: bool = False,
    workers: int = 1,
) -> Figures:
    """Evaluate result entries against the ground truth, the parsed json of a data set.

    `iou_type`: compare masks (`segm`) or boxes (`bbox`)
    `class_agnostic`: put all categories into one
    `ovis`: figures of OVIS, which need an occlusion label for every frame of the truth. None computes them if all
        labels are present, True also warns if they are not, False leaves them out
    `strict`: repeat the original's defect that an annotation with id 0 cannot be found
    `workers`: processes that share the videos; the figures stay the same
    Raises UserError for malformed input and for results of videos that the ground truth lacks.
    """
    truth = prepare_truth(ground_truth, boxes=iou_type == "bbox")
    cases, warnings = join_results(truth, results, boxes=iou_type == "bbox")
    categories = truth.categories
    if class_agnostic:
        cases = [without_categories(case) for case in cases]
        categories = {ANY_CATEGORY: "all categories"}
    has_occlusion, occlusion_warnings = (False, []) if ovis is False else _has_occlusion(cases, asked=bool(ovis))
    ranges = AREA_RANGES + OCCLUSION_RANGES if has_occlusion else AREA_RANGES
    records = evaluate_videos(cases, partial(evaluate_video, ranges=ranges, strict=strict, iou_type=iou_type), workers)
    category_records = [category for record in records for category in record.categories]
    curves = accumulate(category_records, list(categories), len(ranges))
    stats, per_category = _stats(curves), _per_category(curves, categories)
    by_area = slice(0, len(AREA_RANGES))
    return Figures(
        stats=stats,
        per_category=per_category,
        ovis=ovis_stats(curves, stats) if has_occlusion else None,
        precision=np.ascontiguousarray(curves.precision[:, :, :, by_area]),
        recall=np.ascontiguousarray(curves.recall[:, :, by_area]),
        scores=np.ascontiguousarray(curves.scores[:, :, :, by_area]),
        score_curve=curve_of(category_records),
        class_curves={own: curve_of(r for r in category_records if r.category_id == own) for own in per_category},
        warnings=(
            *truth.warnings,
            *warnings,
            *_id_zero_warnings(cases, strict),
            *occlusion_warnings,
            *(warning for record in records for warning in record.warnings),
        ),
    )


def evaluate_videos(
    cases: Sequence[VideoCase], evaluate_one: Callable[[VideoCase], VideoRecord], workers: int
) -> list[VideoRecord]:
    """Return the records of all videos in order, computed by this process or by `workers` others."""
    chunk = max(1, len(cases) // (max(1, workers) * _CHUNKS_A_WORKER))
    return in_processes(evaluate_one, cases, workers, evaluate_video.__module__, chunk)


def _stats(curves: Curves) -> dict[str, float]:
    at_50, at_75 = (int(np.flatnonzero(threshold == IOU_THRESHOLDS)[0]) for threshold in (0.5, 0.75))
    precision, recall = curves.precision[..., _MOST], curves.recall
    stats = {
        "AP": average(precision[..., _ALL]),
        "AP50": average(precision[at_50, ..., _ALL]),
        "AP75": average(precision[at_75, ..., _ALL]),
    }
    stats |= {f"AP{name}": average(precision[..., index]) for index, name in enumerate("sml", start=1)}
    stats |= {f"AR{limit}": average(recall[..., _ALL, m]) for m, limit in enumerate(MAX_RESULTS)}
    return stats | {f"AR{name}": average(recall[..., index, _MOST]) for index, name in enumerate("sml", start=1)}


def _per_category(curves: Curves, categories: dict[int, str]) -> dict[int, dict[str, Any]]:
    found = {}
    for k, (category_id, name) in enumerate(categories.items()):
        only = Curves(
            precision=curves.precision[:, :, k : k + 1],
            recall=curves.recall[:, k : k + 1],
            scores=curves.scores[:, :, k : k + 1],
        )
        stats = _stats(only)
        if stats["AP"] > -1:
            found[category_id] = {"name": name, **{key: stats[key] for key in ("AP", "AP50", "AP75", "AR100")}}
    return found


def _has_occlusion(cases: list[VideoCase], asked: bool) -> tuple[bool, list[str]]:
    """Return whether OVIS's figures can be computed, and warnings.

    It warns if they cannot, but are requested or some labels are present.
    """
    labelled = [track.occlusion is not None for case in cases for track in case.truths]
    if labelled and all(labelled):
        return True, []
    if not asked and not any(labelled):
        return False, []
    return False, [
        f"OVIS figures are left out: {labelled.count(False)} of {len(labelled)} annotations lack occlusion labels"
    ]


def _id_zero_warnings(cases: list[VideoCase], strict: bool) -> list[str]:
    if not any(track.annotation_id == 0 for case in cases for track in case.truths):
        return []
    if strict:
        return ["annotation id 0: its matches count as false positives, as in the original evaluator (strict)"]
    return ["annotation id 0 counts like any other; the original evaluator counts its matches as false positives"]
