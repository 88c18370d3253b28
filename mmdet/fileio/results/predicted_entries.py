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
_TRUTH = "the ground truth"


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
    known = _dicts(truth, "videos", _TRUTH)
    ids = {}
    for index, video in enumerate(_dicts(raw, "videos", source)):
        where = f"{source}: videos[{index}]"
        ids[get_integer(video, "id", where)] = get_integer(_same_video(video, known, where), "id", _TRUTH)
    return ids


def _same_video(video: Mapping[str, Any], known: Sequence[dict[str, Any]], where: str) -> dict[str, Any]:
    """Return the video of the same frames; of the same folder and length; or the only one, of the same length."""
    names, name = get_list(video, "file_names", where), str(video.get("name"))
    for other in known:
        if other.get("file_names") == names:
            return other
    alike = [other for other in known if len(known) == 1 or _folder(other) in (_folder(video), name)]
    same_length = [other for other in alike if len(_frames(other)) == len(names)]
    if len(same_length) == 1:
        return same_length[0]
    if alike:
        raise UserError(
            f"{where}: {shown(name)} has {len(names)} frames, in the ground truth {len(_frames(alike[0]))}: predict on "
            "all of its frames"
        )
    hint = suggestion(name, [_folder(other) for other in known])
    raise UserError(f"{where}: the ground truth has no video {shown(name)}; {hint}")


def _category_ids(raw: Mapping[str, Any], truth: Mapping[str, Any], source: str) -> dict[int, int]:
    """Return the truth's category ids by those of the file, matched by name; if no name matches, ids stay.

    Classes that the truth does not have get ids that it does not have, so that they are left out and counted.
    """
    known, own = (
        {str(entry.get("name")): get_integer(entry, "id", where) for entry in _dicts(content, "categories", where)}
        for content, where in ((truth, _TRUTH), (raw, source))
    )
    if not set(own) & set(known):
        return {}
    unused = max(known.values(), default=0) + 1
    return {number: known.get(name, unused + place) for place, (name, number) in enumerate(own.items())}


def _dicts(raw: Mapping[str, Any], key: str, where: str) -> list[dict[str, Any]]:
    return [entry for entry in get_list(raw, key, where) if isinstance(entry, dict)]


def _frames(video: Mapping[str, Any]) -> list[Any]:
    names = video.get("file_names")
    return names if isinstance(names, list) else []


def _folder(video: Mapping[str, Any]) -> str:
    """Return the name of the folder of a video's frames."""
    return PurePosixPath(str((_frames(video) or [""])[0])).parent.name
