"""What is wrong in a video, frame by frame: objects missed, false, followed by another track, or of a wrong class.

In every frame objects and predictions are paired at a mask IoU of at least 0.5: first those that were paired last and
still can be, as in CLEAR MOT, then the others by falling IoU, whatever their classes. Crowds are no objects: a
prediction with more than half of its pixels in one is not false. An error goes on until a frame shows its object
without it; frames that do not show the object, or that are not annotated, neither end nor lengthen it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mmdet.evaluation.tracks.cases import VideoCase
from mmdet.evaluation.tracks.overlaps import FrameOverlaps, VideoOverlaps
from mmdet.report.document import ErrorEvent, ErrorKind

MATCH_IOU = 0.5
CROWD_SHARE = 0.5  # of a prediction's pixels
_Key = tuple[ErrorKind, int | None, int | None]  # kind, truth, prediction: both by their index in the case


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackNames:
    """What texts call the tracks of a case."""

    true_names: Sequence[str]  # of each truth, e.g. `ring 3`
    track_ids: Sequence[int]  # of each result
    class_names: Sequence[str]  # of each result

    def text(self, key: _Key) -> str:
        """Return what the page says of an error."""
        kind, truth, prediction = key
        name = "" if truth is None else self.true_names[truth]
        if prediction is None:
            return f"{name} is missed"
        track, its_class = f"track {self.track_ids[prediction]}", self.class_names[prediction]
        if kind == "switched":
            return f"{name} becomes {track}"
        return (
            f"{track} ({its_class}) is no object" if kind == "false" else f"{name} is taken for {its_class} ({track})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoErrors:
    """The errors of one video, and counts of masks and switches."""

    events: tuple[ErrorEvent, ...]  # worst first
    missed: int  # masks of objects without a prediction
    false: int  # predicted masks without an object
    wrong_class: int  # pairs of masks
    switches: int


@dataclass(slots=True)
class _Stretch:
    """The frames in which an object is followed by one track, up to the next switch."""

    track: int
    first_frame: int
    pixels: int = 0


@dataclass(slots=True)
class _Account:
    """What was seen so far in a video."""

    last: dict[int, int] = field(default_factory=dict)  # truth -> the prediction that it was paired with last
    open: dict[_Key, ErrorEvent] = field(default_factory=dict)  # errors that go on
    closed: list[ErrorEvent] = field(default_factory=list)
    stretches: dict[int, list[_Stretch]] = field(default_factory=lambda: defaultdict(list))  # truth -> in order
    masks: dict[ErrorKind, int] = field(default_factory=lambda: defaultdict(int))


def find_errors(case: VideoCase, overlaps: VideoOverlaps, names: TrackNames) -> VideoErrors:
    """Return the errors of the results of a case; leave out of it what does not count, such as low scores."""
    account = _Account()
    num_frames = len(overlaps.frames) if case.num_frames is None else case.num_frames
    counted = range(num_frames) if case.annotated_frames is None else frozenset(case.annotated_frames)
    pixels = max(num_frames, 1) * case.size[0] * case.size[1]
    crowds = np.array([truth.is_crowd for truth in case.truths], dtype=np.bool_)
    for number, frame in enumerate(overlaps.frames):
        if number in counted:
            _look_at(number, frame, case, crowds, account, names, pixels)
    events = [*account.closed, *account.open.values(), *_switches(account.stretches, names, pixels)]
    return VideoErrors(
        events=tuple(sorted(events, key=lambda event: (-event.weight, event.first_frame))),
        missed=account.masks["missed"],
        false=account.masks["false"],
        wrong_class=account.masks["wrong_class"],
        switches=sum(len(own) - 1 for own in account.stretches.values()),
    )


def _look_at(
    number: int,
    frame: FrameOverlaps,
    case: VideoCase,
    crowds: NDArray[np.bool_],
    account: _Account,
    names: TrackNames,
    pixels: int,
) -> None:
    """Find the errors of one frame and add them to the account.

    `number`, `frame`, `case`, `crowds`: the frame, its video, and which truths are crowds
    `names`, `pixels`: names of the tracks, and pixels of the whole video
    """
    objects = np.flatnonzero(~crowds[frame.truths])
    ious = np.where(frame.same_size[:, objects], frame.ious[:, objects], 0.0)
    pairs = _paired(ious, frame.results.tolist(), frame.truths[objects].tolist(), account.last)
    spoiled: dict[_Key, int] = {}
    for row, column in pairs.items():
        result, truth = int(frame.results[row]), int(frame.truths[objects[column]])
        area = int(frame.truth_areas[objects[column]])
        account.last[truth] = result
        _follow(account.stretches[truth], result, number, area)
        if case.results[result].category_id != case.truths[truth].category_id:
            spoiled["wrong_class", truth, result] = area
    for column in set(range(len(objects))) - set(pairs.values()):
        spoiled["missed", int(frame.truths[objects[column]]), None] = int(frame.truth_areas[objects[column]])
    for row in np.flatnonzero(~_in_crowd(frame, crowds)).tolist():
        if row not in pairs:
            spoiled["false", None, int(frame.results[row])] = int(frame.result_areas[row])
    seen = {("t", int(truth)) for truth in frame.truths} | {("r", int(result)) for result in frame.results}
    _close(account, spoiled, seen)
    for key, area in spoiled.items():
        account.masks[key[0]] += 1
        before = account.open.get(key)
        account.open[key] = ErrorEvent(
            kind=key[0],
            first_frame=before.first_frame if before else number,
            last_frame=number,
            truth=key[1],
            prediction=key[2],
            weight=(before.weight if before else 0.0) + area / pixels,
            text=names.text(key),
        )


def _paired(
    ious: NDArray[np.float64], results: Sequence[int], truths: Sequence[int], last: dict[int, int]
) -> dict[int, int]:
    """Return the pairs of one frame, row to column of `ious` (D, G)."""
    pairs: dict[int, int] = {}
    rows = {result: row for row, result in enumerate(results)}
    for column, truth in enumerate(truths):
        row = rows.get(last.get(truth, -1))
        if row is not None and row not in pairs and ious[row, column] >= MATCH_IOU:
            pairs[row] = column
    near = np.argwhere(ious >= MATCH_IOU)
    order = np.argsort(-ious[near[:, 0], near[:, 1]], kind="stable")
    taken = set(pairs.values())
    for row, column in near[order].tolist():
        if row not in pairs and column not in taken:
            pairs[row] = column
            taken.add(column)
    return pairs


def _in_crowd(frame: FrameOverlaps, crowds: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which results of a frame lie in a crowd, (D,)."""
    shared = np.where(frame.same_size, frame.intersections, 0)[:, crowds[frame.truths]].max(axis=1, initial=0)
    inside: NDArray[np.bool_] = shared > CROWD_SHARE * frame.result_areas
    return inside


def _close(account: _Account, spoiled: Collection[_Key], seen: Collection[tuple[str, int]]) -> None:
    """End the errors that this frame does not have although it shows their object."""
    for key in [key for key in account.open if key not in spoiled]:
        _, truth, prediction = key
        if ("r", prediction) in seen if truth is None else ("t", truth) in seen:
            account.closed.append(account.open.pop(key))


def _follow(stretches: list[_Stretch], track: int, frame: int, area: int) -> None:
    if not stretches or stretches[-1].track != track:
        stretches.append(_Stretch(track, frame))
    stretches[-1].pixels += area


def _switches(stretches: dict[int, list[_Stretch]], names: TrackNames, pixels: int) -> list[ErrorEvent]:
    """Return the switches, each at the frame where the next track takes over.

    A switch spoils the smaller of what the tracks before and after it follow.
    """
    return [
        ErrorEvent(
            kind="switched",
            first_frame=after.first_frame,
            last_frame=after.first_frame,
            truth=truth,
            prediction=after.track,
            weight=min(before.pixels, after.pixels) / pixels,
            text=names.text(("switched", truth, after.track)),
        )
        for truth, own in stretches.items()
        for before, after in zip(own, own[1:], strict=False)
    ]
