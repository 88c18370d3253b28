"""Match results with objects of the truth, for all IoU thresholds and ranges at once.

Works on arrays of one category in one video: A ranges, T thresholds, D results (highest score first), G truths (file
order). Source: YTVOSeval.evaluateVid (youtubevos/cocoapi).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmdet.evaluation.ap.curves import IOU_THRESHOLDS

_THRESHOLDS = np.minimum(IOU_THRESHOLDS, 1 - 1e-10)  # as the original: a rounded 1 passes a threshold of 1


def match(
    ious: NDArray[np.float64],
    truth_ignored: NDArray[np.bool_],
    is_crowd: NDArray[np.bool_],
    outside: NDArray[np.bool_],
    counts: NDArray[np.bool_],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Match greedily in order of the results. Returns `matched` and `ignored`, both (A, T, D).

    A result takes the free truth with the highest IoU (of equal ones the last), and an ignored truth (`truth_ignored`,
    (A, G)) only if no other passes the threshold. A crowd (`is_crowd`, (G,)) can be taken several times. A result that
    matches an ignored truth is ignored, and so is an unmatched result `outside` the range (A, D). A result that takes a
    truth which does not count (`counts`, (G,)) is not matched.
    """
    num_ranges, num_results = outside.shape
    matched = np.zeros((num_ranges, len(_THRESHOLDS), num_results), dtype=np.bool_)
    ignored = np.zeros_like(matched)
    if not ious.size:  # no truth to match, or no result
        return matched, ignored | outside[:, None, :]
    free = np.ones((num_ranges, len(_THRESHOLDS), len(counts)), dtype=np.bool_)
    for d in np.flatnonzero((ious >= _THRESHOLDS[0]).any(axis=1)).tolist():
        near = np.flatnonzero(ious[d] >= _THRESHOLDS[0])[::-1]
        near = near[np.argsort(-ious[d, near], kind="stable")]  # best first, equal ones from the last in the file
        possible = (ious[d, near] >= _THRESHOLDS[:, None]) & free[:, :, near]
        preferred = possible & ~truth_ignored[:, None, near]
        choice = np.where(preferred.any(axis=2), preferred.argmax(axis=2), possible.argmax(axis=2))
        a, t = np.nonzero(possible.any(axis=2))
        g = near[choice[a, t]]
        free[a, t, g] = is_crowd[g]
        matched[a, t, d] = counts[g]
        ignored[a, t, d] = truth_ignored[a, g]
    ignored |= ~matched & outside[:, None, :]
    return matched, ignored
