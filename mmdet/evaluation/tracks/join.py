"""Join the parsed jsons of a truth and of results into one checked case per video.

Segmentations stay as they are in the json and are decoded when the video is evaluated.
Source: YTVOSEval and YTVOS.loadRes (youtubevos/cocoapi) for the values used and their order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mmdet.errors import UserError, shown
from mmdet.evaluation.tracks.cases import ResultTrack, Truth, TruthTrack, VideoCase
from mmdet.fileio.annotations.annotated_frames import KEY as ANNOTATED_FRAMES
from mmdet.fileio.annotations.annotated_frames import only_at, read_annotated_frames, sparse_note
from mmdet.fileio.annotations.track_fields import read_crowd
from mmdet.fileio.results.result_file import BOX_KEYS, check_results, is_finite_number, is_id
from mmdet.ops.masks.segmentations import MAX_PIXELS
from mmdet.structures import PerFrame
from mmdet.structures.same_tracks import best_entries

LABEL_SCORES = {"no_occlusion": 0.0, "slight_occlusion": 0.25, "severe_occlusion": 0.75}

_SHAPES = ("segmentations", *BOX_KEYS)
_PER_FRAME = (*_SHAPES, "areas", "occlusion")


def prepare_truth(ground_truth: dict[str, Any], *, boxes: bool = False) -> Truth:
    """Check a ground truth and group it by video, for a measurement by masks or by boxes.

    Raises UserError that names the mistake.
    """
    cases = {video_id: _video_case(video_id, video) for video_id, video in _by_id(ground_truth, "videos").items()}
    categories = _by_id(ground_truth, "categories")
    tracks: dict[int, list[TruthTrack]] = {video_id: [] for video_id in sorted(cases)}
    strays = 0
    annotations = _list(ground_truth, "annotations")
    for annotation in annotations:
        video_id = _id(annotation, "annotation", "video_id")
        track = _truth_track(_annotated(annotation, cases.get(video_id)), boxes)
        if video_id not in cases or track.category_id not in categories:
            strays += 1
        elif not _is_elsewhere(annotation, cases[video_id]):
            tracks[video_id].append(track)
    warnings = []
    if strays:
        warnings.append(f"{strays} annotations of unknown videos or categories are left out")
    ids = Counter(annotation["id"] for annotation in annotations)
    if len(ids) < len(annotations):
        twice = next(annotation_id for annotation_id, count in ids.items() if count > 1)
        warnings.append(f"annotation ids occur twice (first: {twice}); each annotation counts as an object of its own")
    videos = tuple(replace(cases[video_id], truths=tuple(own)) for video_id, own in tracks.items())
    return Truth(
        categories={category_id: _category_name(categories[category_id]) for category_id in sorted(categories)},
        videos=videos,
        warnings=(*warnings, *_sparse_warnings(videos)),
    )


def join_results(
    truth: Truth, results: list[dict[str, Any]], *, boxes: bool = False
) -> tuple[list[VideoCase], list[str]]:
    """Add the results to their videos.

    Results of unknown categories are dropped with a warning; those of unknown videos raise UserError.
    """
    check_results(results, "results", boxes=boxes)
    videos = {video.video_id: video for video in truth.videos}
    tracks: dict[int, list[ResultTrack]] = {video_id: [] for video_id in videos}
    kept: list[tuple[int, dict[str, Any]]] = []  # position, entry
    dropped: Counter[int] = Counter()
    for position, entry in enumerate(results):
        video_id, category_id = int(entry["video_id"]), int(entry["category_id"])
        if video_id not in videos:
            raise UserError(f"result {position} is of video {video_id}, which the ground truth does not have")
        if category_id not in truth.categories:
            dropped[category_id] += 1
            continue
        if not _is_elsewhere(entry, videos[video_id]):
            kept.append((position, entry))
    for (position, entry), best in zip(kept, best_entries([entry for _, entry in kept]), strict=True):
        video = videos[int(entry["video_id"])]
        tracks[video.video_id].append(_result_track(_annotated(entry, video), position, kept[best][0], boxes))
    warnings = []
    if dropped:
        ids = ", ".join(str(category_id) for category_id in sorted(dropped))
        warnings.append(f"{dropped.total()} results of categories the ground truth does not have ({ids}) are dropped")
    return [replace(video, results=tuple(tracks[video.video_id])) for video in truth.videos], warnings


def _list(ground_truth: dict[str, Any], key: str) -> list[dict[str, Any]]:
    values = ground_truth.get(key)
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise UserError(
            f"the ground truth has no list of {key}; valid and test files without truth cannot be evaluated"
        )
    return values


def _by_id(ground_truth: dict[str, Any], key: str) -> dict[int, dict[str, Any]]:
    entries = _list(ground_truth, key)
    found = {_id(entry, f"entry of {key}"): entry for entry in entries}
    if len(found) < len(entries):
        raise UserError(f"ground truth: ids of {key} occur twice")
    return found


def _id(entry: dict[str, Any], kind: str, key: str = "id") -> int:
    if not _is_whole(entry.get(key)):  # 3.0 counts as 3, as in loading
        raise UserError(f"ground truth: {kind} with {key} {shown(entry.get(key))}, expected a whole number")
    return int(entry[key])


def _category_name(category: dict[str, Any]) -> str:
    name = category.get("name")
    text = name if isinstance(name, str) else str(int(category["id"]))
    return text.encode("utf-8", "replace").decode()  # unpaired surrogates, which json allows, cannot be printed


def _video_case(video_id: int, video: dict[str, Any]) -> VideoCase:
    """Read a video without its tracks."""
    height, width, length = _side(video.get("height")), _side(video.get("width")), video.get("length")
    if height is None or width is None or height * width > MAX_PIXELS:
        sides = f"height {shown(video.get('height'))} and width {shown(video.get('width'))}"
        raise UserError(f"ground truth: video {video_id} has {sides}")
    if not isinstance(length, int):
        length = len(video["file_names"]) if isinstance(video.get("file_names"), list) else None
    frames = read_annotated_frames(video.get(ANNOTATED_FRAMES), length, f"ground truth: video {video_id}")
    return VideoCase(
        video_id=video_id, size=(height, width), num_frames=length, annotated_frames=frames, truths=(), results=()
    )


def _side(value: Any) -> int | None:
    """Return a side in pixels, None for any other value; 48.0 counts as 48, as in loading."""
    return int(value) if _is_whole(value) and value > 0 else None


def _is_whole(value: Any) -> bool:
    return is_id(value) or (isinstance(value, float) and is_finite_number(value) and value.is_integer())


def _annotated(entry: dict[str, Any], video: VideoCase | None) -> dict[str, Any]:
    """Return an annotation or a result with null in frames that are not annotated."""
    if video is None or video.annotated_frames is None:
        return entry
    frames = video.annotated_frames
    lists = {key: entry[key] for key in _PER_FRAME if isinstance(entry.get(key), list | tuple | PerFrame)}
    return {**entry, **{key: only_at(values, frames) for key, values in lists.items()}}


def _is_elsewhere(entry: dict[str, Any], video: VideoCase) -> bool:
    """Return whether an object is seen only in frames that are not annotated."""
    if video.annotated_frames is None:
        return False
    inside = _annotated(entry, video)
    return _is_seen(entry) and not _is_seen(inside)


def _is_seen(entry: dict[str, Any]) -> bool:
    return any(any(entry.get(key) or ()) for key in _SHAPES)


def _sparse_warnings(cases: Sequence[VideoCase]) -> list[str]:
    """Return a warning if the ground truth looks as if only every n-th frame were annotated."""
    note = sparse_note(
        (case.num_frames or 0, {f for track in case.truths for f, mask in enumerate(track.segmentations) if mask})
        for case in cases
        if case.annotated_frames is None
    )
    return [note] if note else []


def _truth_track(annotation: dict[str, Any], by_boxes: bool) -> TruthTrack:
    annotation_id = _id(annotation, "annotation")
    segmentations, boxes = annotation.get("segmentations"), annotation.get("bboxes") if by_boxes else None
    if boxes is not None and not isinstance(boxes, list):
        raise UserError(f"ground truth: annotation {annotation_id} has bboxes that are not a list")
    if not isinstance(segmentations, list):
        if not boxes:
            raise UserError(f"ground truth: annotation {annotation_id} has no list of segmentations")
        segmentations = [None] * len(boxes)
    return TruthTrack(
        annotation_id=annotation_id,
        category_id=_id(annotation, f"annotation (id {annotation_id})", "category_id"),
        is_crowd=read_crowd(annotation.get("iscrowd"), f"ground truth: annotation {annotation_id}"),
        segmentations=segmentations,
        boxes=boxes or None,
        area=None if by_boxes else _mean_area(annotation.get("areas"), annotation_id, any(segmentations)),
        occlusion=occlusion_score(annotation.get("occlusion"), boxes or segmentations),
    )


def _mean_area(areas: Any, annotation_id: int, has_masks: bool) -> float | None:
    """Return the mean of the annotated areas over the frames that show the object, None if the masks must be used.

    That is so if no area is given, or only zeros beside masks.
    """
    if not areas and has_masks:
        return None
    try:
        seen = [float(area) for area in areas or () if area]
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"ground truth: annotation {annotation_id} has areas that are not numbers") from None
    if not seen:
        return None if has_masks else 0.0
    return float(np.mean(seen))


def _result_track(entry: dict[str, Any], position: int, best_position: int, by_boxes: bool) -> ResultTrack:
    boxes = next((entry[key] for key in BOX_KEYS if entry.get(key) is not None), None) if by_boxes else None
    segmentations = entry.get("segmentations")
    return ResultTrack(
        position=position,
        best_position=best_position,
        category_id=int(entry["category_id"]),
        score=float(entry["score"]),
        segmentations=[None] * len(boxes or []) if segmentations is None else segmentations,
        boxes=boxes,
        boxes_are_xyxy=entry.get(BOX_KEYS[0]) is None,
    )


def occlusion_score(labels: Any, segmentations: Sequence[Any]) -> float | None:
    """Return the mean score of the more occluded half of the frames, None unless every visible frame has a label."""
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
