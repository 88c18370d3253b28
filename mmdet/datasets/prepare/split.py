"""Split a VIS json by whole videos into training and validation parts with the same mix of categories.

Works on the file's own dicts, so that no key is lost. Method: iterative stratification (Sechidis, Tsoumakas
and Vlahavas: On the Stratification of Multi-Label Data, 2011), counting tracks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmdet.errors import UserError

Raw = dict[str, Any]
_TRAIN, _VALID = 0, 1


def split_videos(raw: Raw, fraction: float, seed: int) -> tuple[Raw, Raw]:
    """Return (train, valid), both as json content that `load_vis_json` accepts.

    `fraction` of the tracks goes to valid. Each video with its annotations is in one of them; categories and all other
    keys are in both. The same videos, fraction and seed give the same parts, whatever the order in the file.
    """
    if not 0 < fraction < 1:
        raise UserError(f"the fraction held back is {fraction}, expected a number between 0 and 1")
    if seed < 0:
        raise UserError(f"the seed is {seed}, expected 0 or more")
    videos = sorted(raw["videos"], key=lambda video: video["id"])
    if len(videos) < 2:
        raise UserError(f"the file has {len(videos)} video: two parts need at least 2")
    if not raw.get("annotations"):
        raise UserError("the file has no annotations: results could not be measured with a part of it")
    is_valid = choose_valid(_track_counts(raw, videos), fraction, seed)
    sides = {video["id"]: int(side) for video, side in zip(videos, is_valid, strict=True)}
    train, valid = (
        {
            **raw,
            "videos": [video for video in raw["videos"] if sides[video["id"]] == side],
            "annotations": [entry for entry in raw["annotations"] if sides[entry["video_id"]] == side],
        }
        for side in (_TRAIN, _VALID)
    )
    return train, valid


def choose_valid(counts: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Choose the videos to hold back, (V,) bool, from the numbers of tracks (V, K) per video and category; V >= 2.

    The category with the fewest undecided videos comes first; each of its videos goes to the side that lacks most of
    its tracks. A category in several videos gets one on each side if that is still possible.
    """
    rng = np.random.default_rng(seed)
    shares = np.array([1 - fraction, fraction])
    missing_tracks, missing_videos = np.outer(shares, counts.sum(axis=0)), shares * len(counts)
    has = counts > 0
    sides = np.full(len(counts), -1)
    order = rng.permutation(len(counts))
    while (open_videos := sides < 0).any():
        left = has[open_videos].sum(axis=0)
        label = None if not left.any() else int(np.argmin(np.where(left > 0, left, len(counts) + 1)))
        for video in order[open_videos[order]]:
            if label is not None and not has[video, label]:
                continue
            forced = _forced_side(has, sides, video)
            wants = missing_videos if label is None else missing_tracks[:, label]
            side = forced if forced is not None else int(np.lexsort((rng.random(2), missing_videos, wants))[-1])
            sides[video] = side
            missing_tracks[side] -= counts[video]
            missing_videos[side] -= 1
    for side in (_TRAIN, _VALID):
        if not (sides == side).any():
            sides[order[-1]] = side
    return sides == _VALID


def _forced_side(has: np.ndarray, sides: np.ndarray, video: int) -> int | None:
    """Return the side that most categories of a video would otherwise never reach, None if all can reach both."""
    labels = np.flatnonzero(has[video])
    on_side = [has[sides == side][:, labels].any(axis=0) for side in (_TRAIN, _VALID)]
    is_last = has[sides < 0][:, labels].sum(axis=0) == 1
    votes = [int((is_last & ~on_side[side] & on_side[1 - side]).sum()) for side in (_TRAIN, _VALID)]
    return None if votes[_TRAIN] == votes[_VALID] else int(np.argmax(votes))


def track_table(train: Raw, valid: Raw) -> str:
    """Return a table of the number of tracks per category in both parts."""
    categories = train["categories"]
    width = max(len("category"), *(len(category["name"]) for category in categories))
    lines = [f"{'category':{width}}  {'train':>6}  {'valid':>6}  {'share':>6}"]
    rows = [(c["name"], *(_count(part, [c["id"]]) for part in (train, valid))) for c in categories]
    ids = [category["id"] for category in categories]
    rows += [
        ("all tracks", _count(train, ids), _count(valid, ids)),
        ("videos", *(len(p["videos"]) for p in (train, valid))),
    ]
    for name, in_train, in_valid in rows:
        total = in_train + in_valid
        share = f"{in_valid / total:6.1%}" if total else "     -"
        lines.append(f"{name:{width}}  {in_train:6}  {in_valid:6}  {share}")
    return "\n".join(lines)


def _count(part: Raw, category_ids: Sequence[int]) -> int:
    return sum(entry["category_id"] in category_ids for entry in part["annotations"])


def _track_counts(raw: Raw, videos: list[Raw]) -> np.ndarray:
    rows = {video["id"]: index for index, video in enumerate(videos)}
    columns = {number: index for index, number in enumerate(sorted(category["id"] for category in raw["categories"]))}
    counts = np.zeros((len(rows), len(columns)), np.int64)
    for entry in raw["annotations"]:
        counts[rows[entry["video_id"]], columns[entry["category_id"]]] += 1
    return counts
