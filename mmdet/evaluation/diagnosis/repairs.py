"""Correct one kind of error in the results by the ground truth and leave all others in, one video at a time.

Crowds are not used, because they are not single objects. Ties go to the object and the result that come first in the
file. Masks are passed on as they are in the json. A track that is written under several classes stays so until its
class is made true: average precision takes all of its entries before and after a repair.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmdet.evaluation.tracks.cases import ResultTrack, VideoCase
from mmdet.evaluation.tracks.overlaps import VideoOverlaps

# TIDE's two thresholds (Bolya et al., ECCV 2020, section 2.2): below the first a result belongs to no object, from the
# second on it has found the object.
BACKGROUND_IOU = 0.1
FOREGROUND_IOU = 0.5

Entry = dict[str, Any]  # an entry of a result file


class _Claim(NamedTuple):
    """Assigns a result's mask in one frame to an object; both by their index in the case."""

    frame: int
    result: int
    truth: int
    iou: float


def repair_classes(case: VideoCase, overlaps: VideoOverlaps) -> list[Entry]:
    """Give every track the category of the object that it overlaps most (at least BACKGROUND_IOU).

    It keeps its best score. Its entries of other classes are left out, because its class is no longer in doubt; tracks
    without such an object stay as they are.
    """
    objects = np.flatnonzero(_is_object(case))
    ious = overlaps.track_ious[:, objects]
    if not ious.size:
        return [_entry(case, result) for result in case.results]
    best = objects[ious.argmax(axis=1)].tolist()
    enough = (ious.max(axis=1) >= BACKGROUND_IOU).tolist()
    return [
        _entry(case, result, category_id=case.truths[truth].category_id if found else result.category_id)
        for result, truth, found in zip(case.results, best, enough, strict=True)
        if result.is_best or not found
    ]


def repair_tracking(case: VideoCase, overlaps: VideoOverlaps) -> list[Entry]:
    """Correct identities: all masks that found the same object (FOREGROUND_IOU, frame by frame) become one track.

    If several results claim a frame, the best IoU wins. The category is the one with the highest sum of scores, the
    score the highest of the claiming results. If these are tracks that are written under several classes, so is the
    joined one: under as many as any of them, those with the highest sums, each with the highest score in its class.
    """
    return _join(case, _claims(case, overlaps, FOREGROUND_IOU), as_truth=False)


def repair_masks(case: VideoCase, overlaps: VideoOverlaps) -> list[Entry]:
    """Replace every mask by that of the object that it overlaps most in its frame (at least BACKGROUND_IOU)."""
    segmentations = [list(result.segmentations) for result in case.results]
    for claim in _claims(case, overlaps, BACKGROUND_IOU):
        segmentations[claim.result][claim.frame] = case.truths[claim.truth].segmentations[claim.frame]
    return [
        _entry(case, result, segmentations=masks) for result, masks in zip(case.results, segmentations, strict=True)
    ]


def repair_all(case: VideoCase, overlaps: VideoOverlaps) -> list[Entry]:
    """Correct masks, then identities, then categories. Missed frames and missed objects stay missed."""
    return _join(case, _claims(case, overlaps, BACKGROUND_IOU), as_truth=True)


REPAIRS: dict[str, Callable[[VideoCase, VideoOverlaps], list[Entry]]] = {
    "classes": repair_classes,
    "tracking": repair_tracking,
    "masks": repair_masks,
    "all": repair_all,
}


def _is_object(case: VideoCase) -> NDArray[np.bool_]:
    """Return which truths are not crowds, (G,)."""
    return np.array([not truth.is_crowd for truth in case.truths], dtype=np.bool_)


def _claims(case: VideoCase, overlaps: VideoOverlaps, min_iou: float) -> list[_Claim]:
    """Return for every mask the object that it overlaps most in its frame, if the IoU is at least `min_iou`."""
    is_object = _is_object(case)
    claims = []
    for number, frame in enumerate(overlaps.frames):
        ious = np.where(is_object[frame.truths], frame.ious, -1.0)
        if not ious.size:
            continue
        best = ious.argmax(axis=1)
        highest = ious.max(axis=1)
        for row in np.flatnonzero(highest >= min_iou).tolist():
            result, truth = int(frame.results[row]), int(frame.truths[best[row]])
            claims.append(_Claim(number, result, truth, float(highest[row])))
    return claims


def _join(case: VideoCase, claims: Sequence[_Claim], *, as_truth: bool) -> list[Entry]:
    """Make one track from the claims on each object; with `as_truth` it gets the object's masks and category.

    Results without a claim stay as they are. Other parts of results with a claim are dropped: they would be false
    positives made by the repair itself.
    """
    by_truth: dict[int, list[_Claim]] = defaultdict(list)
    for claim in claims:
        by_truth[claim.truth].append(claim)
    claiming = {claim.result for claim in claims}
    placed = [(i, -1, _entry(case, result)) for i, result in enumerate(case.results) if i not in claiming]
    for position, own in by_truth.items():
        truth = case.truths[position]
        masks: list[Any] = [None] * len(truth.segmentations)
        for claim in sorted(own, key=lambda c: (c.iou, case.results[c.result].score, -c.result)):
            source = truth if as_truth else case.results[claim.result]
            masks[claim.frame] = source.segmentations[claim.frame]  # the best claim comes last and wins
        leader = max((claim.result for claim in own), key=lambda i: (case.results[i].score, -i))
        classes = [(truth.category_id, case.results[leader].score)] if as_truth else _classes(case, own)
        placed += [
            (leader, position, _entry(case, case.results[leader], segmentations=masks, category_id=number, score=score))
            for number, score in classes
        ]
    return [entry for _, _, entry in sorted(placed, key=lambda item: item[:2])]  # equal scores stay in file order


def _classes(case: VideoCase, claims: Sequence[_Claim]) -> list[tuple[int, float]]:
    """Return the categories and scores of the track that claims are joined to, the best first.

    The best category has the highest sum of scores; ties go to the most claims, then to the lowest id.
    """
    votes: dict[int, list[float]] = defaultdict(list)
    for claim in claims:
        result = case.results[claim.result]
        votes[result.category_id].append(result.score)
    entries = Counter(case.results[result].best_position for result in {claim.result for claim in claims})
    order = sorted(votes, key=lambda category_id: (-sum(votes[category_id]), -len(votes[category_id]), category_id))
    highest = max(max(scores) for scores in votes.values())
    others = order[1 : max(entries.values())]
    return [(order[0], highest), *((category_id, max(votes[category_id])) for category_id in others)]


def _entry(case: VideoCase, result: ResultTrack, **changes: Any) -> Entry:
    return {
        "video_id": case.video_id,
        "category_id": result.category_id,
        "score": result.score,
        "segmentations": result.segmentations,
    } | changes
