"""Read what is exported: results with the json of their data set, or jsons that name their videos themselves."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmdet.errors import UserError, short_list
from mmdet.fileio.annotations.json_fields import get_list
from mmdet.fileio.annotations.raw_json import read_vis_object
from mmdet.fileio.annotations.vis_json import Category, VideoInfo, parse_categories, parse_video
from mmdet.fileio.exporting.tracks import ExportSet, ExportTrack, ExportVideo, video_names
from mmdet.fileio.results.predicted_entries import is_predictions
from mmdet.fileio.results.result_file import check_results, load_results, parse_results
from mmdet.ops.masks.segmentations import mask_areas, to_rle, to_rles
from mmdet.structures import RLE
from mmdet.structures.same_tracks import best_entries

_TRUTH_SCORE = 1.0  # of annotations, which have none

Entries = list[dict[str, Any]]


def load_tracks(results: Path, ann_file: Path | None, min_score: float = 0.0) -> ExportSet:
    """Return the tracks of `results`, those of several classes once, as their best.

    `results`: what `load_results` reads, or an annotation json, whose tracks have the score 1
    `ann_file`: the json of the data set; None: `results` describe their videos themselves
    `min_score`: tracks with lower scores are left out and counted
    Raises UserError that names the file and the entry for results that do not fit the videos.
    """
    videos, categories, entries = _own(results) if ann_file is None else _of_data_set(results, ann_file)
    check_results(entries, str(results))
    source = str(ann_file or results)
    _check_ids(entries, videos, categories, source)
    counts: Counter[str] = Counter()
    best = sorted(set(best_entries(entries)))
    counts["entries that are a track under a further class"] = len(entries) - len(best)
    by_video: dict[int, list[tuple[dict[str, Any], dict[int, RLE]]]] = defaultdict(list)
    infos = {video.video_id: video for video in videos}
    for index in best:
        entry = entries[index]
        if entry["score"] < min_score:
            counts[f"tracks with a score below {min_score:g}"] += 1
            continue
        masks = _masks(entry["segmentations"], infos[entry["video_id"]], f"{results}: result {index}")
        if masks:
            by_video[entry["video_id"]].append((entry, masks))
        else:
            counts["tracks without a mask"] += 1
    names = video_names(videos)
    return ExportSet(
        videos=tuple(
            ExportVideo(info=video, name=name, tracks=_tracks(by_video[video.video_id]))
            for video, name in zip(videos, names, strict=True)
        ),
        class_names={category.category_id: category.name for category in categories},
        left_out={what: count for what, count in counts.items() if count},
    )


def _of_data_set(results: Path, ann_file: Path) -> tuple[list[VideoInfo], list[Category], Entries]:
    """Return videos and categories of a data set, and the entries of results on it."""
    raw = read_vis_object(ann_file)
    videos, categories = _videos_of(raw, ann_file), parse_categories(raw, ann_file)
    if not results.is_dir():
        content = parse_results(results)
        if isinstance(content, dict) and not is_predictions(content):
            return videos, categories, _annotations(content, results)
    return videos, categories, load_results(results, truth=raw)


def _own(results: Path) -> tuple[list[VideoInfo], list[Category], Entries]:
    """Return videos, categories and entries of jsons that describe their videos; those of a folder are renumbered."""
    if not results.is_dir():
        content = parse_results(results)
        if not isinstance(content, dict) or not isinstance(content.get("videos"), list):
            raise UserError(f"{results} does not name its videos: give the json of the data set by --ann")
        own = _annotations(content, results)
        check_results(own, str(results))
        return _videos_of(content, results), parse_categories(content, results), own
    files = [path for path in sorted(results.glob("*.json")) if is_predictions(parse_results(path))]
    if not files:
        raise UserError(f"{results} is a folder without the jsons of tools/predict.py: give a result file")
    parts = [_own(file) for file in files]
    if any(categories != parts[0][1] for _, categories, _ in parts):
        raise UserError(f"{results} holds predictions of models with different classes: export those of one")
    videos: list[VideoInfo] = []
    joined: Entries = []
    for own_videos, _, own_entries in parts:
        numbers = {video.video_id: number for number, video in enumerate(own_videos, start=len(videos) + 1)}
        videos += [replace(video, video_id=numbers[video.video_id]) for video in own_videos]
        joined += [{**entry, "video_id": numbers.get(entry["video_id"], -1)} for entry in own_entries]
    return videos, parts[0][1], joined


def _videos_of(raw: Mapping[str, Any], path: Path) -> list[VideoInfo]:
    """Return the videos; one of a video file, whose frames have no names, gets names in a folder of its own."""
    videos = []
    for index, entry in enumerate(get_list(raw, "videos", path)):
        names = entry.get("file_names") if isinstance(entry, dict) else None
        if isinstance(names, list) and names and not any(names):
            folder = str(entry.get("name") or f"video_{entry.get('id')}")
            entry = {**entry, "file_names": [f"{folder}/{frame:05d}.jpg" for frame in range(len(names))]}
        videos.append(parse_video(entry, f"{path}: videos[{index}]", Counter()))
    return videos


def _annotations(raw: Mapping[str, Any], path: Path) -> Entries:
    entries = get_list(raw, "annotations", path)
    return [{"score": _TRUTH_SCORE, **entry} if isinstance(entry, dict) else entry for entry in entries]


def _check_ids(entries: Entries, videos: Sequence[VideoInfo], categories: Sequence[Category], source: str) -> None:
    for key, known in (
        ("video_id", {video.video_id for video in videos}),
        ("category_id", {category.category_id for category in categories}),
    ):
        strange = sorted({entry[key] for entry in entries} - known)
        if strange:
            raise UserError(
                f"the results have a {key} that {source} does not have: {short_list(list(map(str, strange)))}"
            )


def _masks(segmentations: Sequence[Any], video: VideoInfo, where: str) -> dict[int, RLE]:
    """Return the masks that have a pixel, by frame. Raises UserError for malformed ones."""
    if len(segmentations) != len(video.file_names):
        raise UserError(f"{where} has {len(segmentations)} frames, its video {video.video_id} {len(video.file_names)}")
    frames = [frame for frame, segmentation in enumerate(segmentations) if segmentation]
    try:
        rles = to_rles([segmentations[frame] for frame in frames], video.size)
    except ValueError:
        for frame in frames:
            try:
                to_rle(segmentations[frame], video.size)
            except ValueError as error:
                raise UserError(f"{where}, frame {frame}: {error}") from error
        raise
    areas = mask_areas(rles).tolist()
    return {frame: rle for frame, rle, area in zip(frames, rles, areas, strict=True) if area}


def _tracks(seen: Sequence[tuple[dict[str, Any], dict[int, RLE]]]) -> tuple[ExportTrack, ...]:
    """Return the tracks of a video, under their own ids if all have one, else counted from 1."""
    own = [number for entry, _ in seen if isinstance(number := entry.get("track_id"), int) and number >= 0]
    if len(set(own)) < len(seen):
        own = list(range(1, len(seen) + 1))
    first = 1 if 0 in own else 0
    return tuple(
        ExportTrack(
            track_id=number + first,
            category_id=int(entry["category_id"]),
            score=float(entry["score"]),
            masks=masks,
        )
        for number, (entry, masks) in zip(own, seen, strict=True)
    )
