"""What a report is made from: a data set with or without truth, its frames, and the results of one or two models.

Results are those of test_video.py (json, pickle, zip), or the json of tracked videos, which is a YouTube-VIS json whose
annotations have scores. Such a json describes its videos itself; of other results without a data set only sizes and
lengths are known, from their masks.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmdet.errors import UserError
from mmdet.evaluation.tracks.cases import Truth, VideoCase
from mmdet.evaluation.tracks.join import join_results, prepare_truth
from mmdet.fileio.annotations.json_fields import get_list
from mmdet.fileio.annotations.vis_json import VideoInfo, parse_categories, parse_video
from mmdet.fileio.results.predicted_entries import is_predictions, result_entries
from mmdet.fileio.results.result_file import check_results, is_finite_number, is_id, parse_results
from mmdet.structures import Size
from mmdet.structures.same_tracks import best_entries
from mmdet.visualization.video_writer import picture_names

DEFAULT_FPS = 10.0  # as the drawn mp4s
MOST_FPS = 1000  # more is not believed


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownVideo:
    """One video of the data set, and where its frames come from."""

    video_id: int
    name: str
    size: Size
    num_frames: int
    fps: float
    file_names: tuple[str, ...] = ()  # relative to the image folder; () if there is none
    source: str | None = None  # the file that the video was read from
    times_s: tuple[float, ...] = ()  # of the frames in `source`


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """The videos and classes of a report, in file order."""

    raw: dict[str, Any]  # YouTube-VIS json; its annotations are [] without truth
    videos: tuple[ShownVideo, ...]
    class_names: Mapping[int, str]  # by category id
    labels: Mapping[int, int]  # by category id
    image_folder: str | None

    @property
    def has_truth(self) -> bool:
        """Whether there is anything to compare results with."""
        return bool(self.raw["annotations"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The results of one model. `about` is the `info` of a json of tracked videos, {} of other results."""

    name: str
    entries: list[dict[str, Any]]
    about: Mapping[str, Any]
    described: dict[str, Any] | None = None  # videos and categories as the json itself gives them


def load_results_or_tracks(path: str | Path, truth: Mapping[str, Any] | None = None) -> Results:
    """Read a result file, the json of tracked videos, or a folder of such jsons. Raises UserError.

    Tracked videos and their classes get the ids that they have in `truth`, the json of a data set (None: their own).
    """
    if Path(path).is_dir():
        files = [file for file in sorted(Path(path).glob("*.json")) if is_predictions(parse_results(file))]
        if not files:
            raise UserError(f"{path} is a folder without jsons of tracked videos: give a result file")
        return joined([load_results_or_tracks(file, truth) for file in files], Path(path).name, truth)
    content = parse_results(path)
    if not isinstance(content, dict):
        check_results(content, str(path))
        return Results(name=Path(path).stem, entries=list(content), about={})
    described = {key: content.get(key) for key in ("videos", "categories")}
    if not all(isinstance(value, list) for value in (*described.values(), content.get("annotations"))):
        raise UserError(f"{path}: results are a list, or an object with videos, categories and annotations")
    if not all(isinstance(video, dict) for video in content["videos"]):
        raise UserError(f"{path}: videos are no objects")
    tracks = content["annotations"]
    if tracks and not any(isinstance(track, dict) and "score" in track for track in tracks):
        raise UserError(f"{path} has annotations without scores: it is a truth, which --ann takes, not results")
    check_results(tracks, str(path))
    about = content["info"] if isinstance(content.get("info"), dict) else {}
    if truth is not None and is_predictions(content):
        entries = result_entries(content, truth, str(path))
        tracks = [{**track, **entry} for track, entry in zip(tracks, entries, strict=True)]
    return Results(name=Path(path).stem, entries=tracks, about=about, described=described)


def joined(parts: Sequence[Results], name: str, truth: Mapping[str, Any] | None = None) -> Results:
    """Return the tracked videos of several files as one set of results, with new ids unless they have those of a truth.

    Raises UserError unless all are tracked videos with the same classes.
    """
    if len(parts) == 1:
        return parts[0]
    videos: list[dict[str, Any]] = []
    entries: list[dict[str, Any]] = []
    names: dict[Any, Any] = {}
    for part in parts:
        if part.described is None:
            raise UserError(f"{part.name}: only jsons of tracked videos go together; --compare takes another model's")
        for category in part.described["categories"]:
            if isinstance(category, dict) and names.setdefault(category.get("id"), category) != category:
                raise UserError(f"{part.name} has other classes than {parts[0].name}: make a report of each")
        numbers = {video.get("id"): number for number, video in enumerate(part.described["videos"], len(videos) + 1)}
        videos += [{**video, "id": numbers[video.get("id")]} for video in part.described["videos"]]
        strange = {entry["video_id"] for entry in part.entries} - numbers.keys()
        if strange and truth is None:
            raise UserError(f"{part.name}: a track of video {min(strange)}, which the file does not have")
        entries += [
            entry if truth is not None else {**entry, "video_id": numbers[entry["video_id"]]} for entry in part.entries
        ]
    described = {"videos": videos, "categories": list(names.values())}
    return Results(name=name, entries=entries, about=parts[0].about, described=described)


def load_data_set(
    truth: Mapping[str, Any] | None, image_folder: str | Path | None, results: Results, source: object = "the data set"
) -> DataSet:
    """Return the data set of `truth`, the json of a data set, else as the results describe it.

    `source` names the truth in errors. Raises UserError for what cannot be used.
    """
    where = str(source) if truth is not None else results.name
    raw = truth if truth is not None else results.described or _described_by(results.entries)
    raw = {**raw, "annotations": (raw.get("annotations") or []) if truth is not None else []}
    infos = [
        parse_video(entry, f"{where}: videos[{i}]", Counter()) for i, entry in enumerate(get_list(raw, "videos", where))
    ]
    categories = parse_categories(raw, where)
    names = picture_names(infos)
    return DataSet(
        raw=raw,
        videos=tuple(
            _shown_video(info, entry, names[info.video_id]) for info, entry in zip(infos, raw["videos"], strict=True)
        ),
        class_names={category.category_id: category.name for category in categories},
        labels={category.category_id: label for label, category in enumerate(categories)},
        image_folder=None if image_folder is None else os.fspath(image_folder),
    )


def shown_cases(data: DataSet, results: Results) -> tuple[Truth, list[VideoCase], list[str]]:
    """Return the truth, all tracks of each video, in frames without annotation too, and notes.

    Raises UserError for results of videos that the data set lacks.
    """
    videos = [{key: value for key, value in video.items() if key != "annotated_frames"} for video in data.raw["videos"]]
    truth = prepare_truth({**data.raw, "videos": videos})
    cases, notes = join_results(truth, results.entries)
    counted = {case.video_id: case.annotated_frames for case in prepare_truth({**data.raw, "annotations": []}).videos}
    return truth, [replace(case, annotated_frames=counted[case.video_id]) for case in cases], notes


def track_numbers(entries: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the id of every entry's track: its `track_id`, else the number of tracks of its video before it."""
    known: dict[int, dict[int, int]] = defaultdict(dict)  # by video: by the position of a track's best entry its number
    numbers = []
    for entry, best in zip(entries, best_entries(entries), strict=True):
        given, own = entry.get("track_id"), known[entry["video_id"]]
        number = own.setdefault(best, len(own))
        numbers.append(given if isinstance(given, int) and given >= 0 else number)
    return numbers


def _shown_video(info: VideoInfo, entry: Mapping[str, Any], name: str) -> ShownVideo:
    """Add to a checked video what json files of tracked videos say beyond the format."""
    fps, source, given, times = (entry.get(key) for key in ("fps", "source", "name", "times"))
    if not isinstance(times, list) or len(times) != len(info.file_names) or not all(map(is_finite_number, times)):
        times = []
    return ShownVideo(
        video_id=info.video_id,
        name=given if isinstance(given, str) and given else name,
        size=info.size,
        num_frames=len(info.file_names),
        fps=float(fps) if isinstance(fps, int | float) and 0 < fps < MOST_FPS else DEFAULT_FPS,
        file_names=tuple(info.file_names) if any(info.file_names) else (),
        source=source if isinstance(source, str) else None,
        times_s=tuple(float(time) for time in times),
    )


def _described_by(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the videos and categories of results, as far as the results themselves show them."""
    videos: dict[int, dict[str, Any]] = {}
    for entry in entries:
        number, length = int(entry["video_id"]), len(entry["segmentations"])
        size = next((_size_of(mask) for mask in entry["segmentations"] if _size_of(mask)), None)
        known = videos.setdefault(number, {"id": number, "height": None, "width": None, "file_names": []})
        if known["height"] is None and size is not None:
            known["height"], known["width"] = size
        known["file_names"] += [f"video_{number}/{i:05d}" for i in range(len(known["file_names"]), length)]
    for number, video in videos.items():
        if video["height"] is None or not video["file_names"]:
            raise UserError(f"the masks of video {number} do not say its size: give the data set's json by --ann")
    numbers = sorted({int(entry["category_id"]) for entry in entries})
    categories = [{"id": number, "name": f"category {number}"} for number in numbers]
    return {"videos": [videos[number] for number in sorted(videos)], "categories": categories}


def _size_of(mask: Any) -> Size | None:
    size = mask.get("size") if isinstance(mask, dict) else None
    is_size = isinstance(size, list | tuple) and len(size) == 2 and all(is_id(side) and side > 0 for side in size)
    return (int(size[0]), int(size[1])) if size is not None and is_size else None
