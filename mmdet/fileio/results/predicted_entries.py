"""The tracks of the jsons of `tools/predict.py` as results of a data set: videos and classes are matched by name.

Such a json is of one video with an id of its own, so its ids say nothing about those of a ground truth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from mmdet.errors import UserError, shown, suggestion
from mmdet.fileio.annotations.json_fields import get_field, get_integer, get_list

MADE_BY = "memcnp-vis predict"
_KEYS = ("score", "segmentations", "bboxes")


def is_predictions(raw: Any) -> bool:
    """Return whether a json value is one of `tools/predict.py`."""
    return isinstance(raw, dict) and isinstance(raw.get("info"), dict) and raw["info"].get("made_by") == MADE_BY


def result_entries(raw: Mapping[str, Any], truth: Mapping[str, Any] | None, source: str) -> list[dict[str, Any]]:
    """Return the tracks as entries of results. `source` names the file in errors.

    With `truth`, the json object of a data set, they get its ids. Raises UserError if it does not have the video.
    """
    if "annotations" not in raw:
        raise UserError(f"{source} has no tracks: predict with json in --save")
    ids, classes = (
        (None, None) if truth is None else (_video_ids(raw, truth, source), _category_ids(raw, truth, source))
    )
    entries = []
    for index, track in enumerate(get_list(raw, "annotations", source)):
        where = f"{source}: annotations[{index}]"
        video_id, category_id = get_integer(track, "video_id", where), get_integer(track, "category_id", where)
        entries.append(
            {
                "video_id": video_id if ids is None else ids.get(video_id, video_id),
                "category_id": category_id if classes is None else classes.get(category_id, category_id),
                **{key: get_field(track, key, where) for key in _KEYS},
            }
        )
    return entries


def _video_ids(raw: Mapping[str, Any], truth: Mapping[str, Any], source: str) -> dict[int, int]:
    """Return the ids of the truth's videos by those of the file."""
    known = [video for video in get_list(truth, "videos", "the ground truth") if isinstance(video, dict)]
    ids = {}
    for index, video in enumerate(get_list(raw, "videos", source)):
        where = f"{source}: videos[{index}]"
        ids[get_integer(video, "id", where)] = get_integer(_same_video(video, known, where), "id", "the ground truth")
    return ids


def _same_video(video: Mapping[str, Any], known: Sequence[dict[str, Any]], where: str) -> dict[str, Any]:
    """Return the video of the same frames; of the same folder and length; or the only one, of the same length."""
    names = get_list(video, "file_names", where)
    for other in known:
        if other.get("file_names") == names:
            return other
    folders = {PurePosixPath(str(names[0])).parent.name, str(video.get("name"))}
    alike = [other for other in known if len(known) == 1 or _folder(other) in folders]
    same_length = [other for other in alike if len(other.get("file_names") or ()) == len(names)]
    if len(same_length) == 1:
        return same_length[0]
    name = shown(video.get("name"))
    if alike:
        lengths = len(alike[0].get("file_names") or ())
        raise UserError(
            f"{where}: {name} has {len(names)} frames, in the ground truth {lengths}: predict on all of its frames"
        )
    raise UserError(
        f"{where}: the ground truth has no video {name}; {suggestion(str(video.get('name')), _names(known))}"
    )


def _category_ids(raw: Mapping[str, Any], truth: Mapping[str, Any], source: str) -> dict[int, int]:
    """Return the truth's category ids by those of the file, matched by name; if no name matches, ids stay.

    Classes that the truth does not have get ids that it does not have, so that they are left out and counted.
    """
    known = {
        str(category.get("name")): get_integer(category, "id", "the ground truth")
        for category in get_list(truth, "categories", "the ground truth")
    }
    own = {
        get_integer(category, "id", source): str(category.get("name"))
        for category in get_list(raw, "categories", source)
    }
    if not set(own.values()) & set(known):
        return {}
    unused = max(known.values(), default=0) + 1
    return {number: known.get(name, unused + place) for place, (number, name) in enumerate(own.items())}


def _folder(video: Mapping[str, Any]) -> str:
    names = video.get("file_names") or [""]
    return PurePosixPath(str(names[0])).parent.name


def _names(videos: Sequence[Mapping[str, Any]]) -> list[str]:
    return [_folder(video) for video in videos]
