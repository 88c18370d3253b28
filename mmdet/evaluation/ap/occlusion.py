"""OVIS's occlusion figures: the ranges of occlusion, and the 18 figures of OVISeval.

Source: OVISeval (qjy981010/cocoapi).
"""

from __future__ import annotations

from mmdet.evaluation.ap.curves import ALL_AREAS, AREA_RANGES, Curves, ObjectRange, average

OCCLUSION_RANGES = (  # light, medium, heavy; inclusive, so .25 and .5 belong to two of them
    ObjectRange(area=ALL_AREAS, occlusion=(0.0, 0.25)),
    ObjectRange(area=ALL_AREAS, occlusion=(0.25, 0.5)),
    ObjectRange(area=ALL_AREAS, occlusion=(0.5, 1.0)),
)


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
