"""OVIS's occlusion figures: the score of an object, its ranges, and the 18 figures of OVISeval.

Source: OVISeval (qjy981010/cocoapi).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmdet.evaluation.ap.curves import ALL_AREAS, AREA_RANGES, Curves, Range, average

LABEL_SCORES = {"no_occlusion": 0.0, "slight_occlusion": 0.25, "severe_occlusion": 0.75}
OCCLUSION_RANGES = (  # light, medium, heavy; inclusive, so .25 and .5 belong to two of them
    Range(area=ALL_AREAS, occlusion=(0.0, 0.25)),
    Range(area=ALL_AREAS, occlusion=(0.25, 0.5)),
    Range(area=ALL_AREAS, occlusion=(0.5, 1.0)),
)


def occlusion_score(labels: Any, segmentations: Sequence[Any]) -> float | None:
    """Return the mean score of the more occluded half of the frames, None unless every visible frame has its label."""
    if not isinstance(labels, list) or len(labels) != len(segmentations):
        return None
    scores = []
    for label, segmentation in zip(labels, segmentations, strict=True):
        if label is None and not segmentation:
            continue
        if not isinstance(label, str) or label not in LABEL_SCORES:
            return None
        scores.append(LABEL_SCORES[label])
    most_occluded = sorted(scores, reverse=True)[: (len(scores) + 1) // 2]
    return float(np.mean(most_occluded)) if most_occluded else 0.0


def ovis_stats(curves: Curves, stats: dict[str, float]) -> dict[str, float]:
    """Return the 18 figures in OVISeval's order: the 12 of `stats` with six more after each half.

    `curves` are over the area ranges followed by the occlusion ranges.
    """
    more: dict[str, dict[str, float]] = {"AP": {}, "AR": {}}
    for index, name in enumerate(("so", "mo", "ho"), start=len(AREA_RANGES)):
        more["AP"][f"AP_{name}"] = average(curves.precision[..., index, -1])
        more["AR"][f"AR_{name}"] = average(curves.recall[..., index, -1])
    named = list(stats.items())
    half = len(named) // 2
    return {**dict(named[:half]), **more["AP"], **dict(named[half:]), **more["AR"]}
