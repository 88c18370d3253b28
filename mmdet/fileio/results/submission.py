"""Check results against the videos of a data set, list all faults, and pack the results for an evaluation server.

A submission is a zip with `results.json` at its root: a list of {video_id, category_id, score, segmentations}, with the
data set's ids and one compressed RLE or null per frame at the original size.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import IO, Any

from mmdet.errors import UserError, shown
from mmdet.fileio.atomic import write_atomically
from mmdet.fileio.results.result_file import SUBMISSION_MEMBER, is_finite_number, is_id, write_json
from mmdet.ops.masks.segmentations import to_rle
from mmdet.structures import PerFrame

KEYS = ("video_id", "category_id", "score", "segmentations")
_VIDEO_KEYS = ("id", "height", "width", "file_names")


def find_faults(entries: Any, ground_truth: dict[str, Any]) -> list[str]:
    """Return one line per fault of the result entries, [] if a server would accept them.

    `ground_truth` is the json of the data set; only its videos and categories are used.
    """
    if not isinstance(entries, list):
        return [f"results are a list of entries, got {type(entries).__name__}"]
    videos = {video["id"]: video for video in _checked_entries(ground_truth, "videos", _VIDEO_KEYS)}
    categories = {category["id"] for category in _checked_entries(ground_truth, "categories", ("id",))}
    faults = []
    for index, entry in enumerate(entries):
        faults += [f"result {index}: {fault}" for fault in _faults_of(entry, videos, categories)]
    return faults


def _checked_entries(ground_truth: dict[str, Any], key: str, wanted: tuple[str, ...]) -> list[dict[str, Any]]:
    values = ground_truth.get(key)
    if not isinstance(values, list):
        raise UserError(f"the data set's json has no list of {key}")
    for index, value in enumerate(values):
        missing = [name for name in wanted if not isinstance(value, dict) or value.get(name) is None]
        if missing:
            raise UserError(f"the data set's json: {key}[{index}] has no {', '.join(missing)}")
        for name, kind in (("id", int), ("file_names", list), ("height", int), ("width", int)):
            if name in wanted and not isinstance(value[name], kind):
                raise UserError(f"the data set's json: {key}[{index}] has {name} {shown(value[name])}")
    return values


def _faults_of(entry: Any, videos: dict[Any, dict[str, Any]], categories: set[Any]) -> list[str]:
    if not isinstance(entry, dict):
        return [f"is no dict but {type(entry).__name__}"]
    missing = [key for key in KEYS if key not in entry]
    if missing:
        return [f"has no {', '.join(missing)}"]
    faults = []
    score = entry["score"]
    if not is_finite_number(score):
        faults.append(f"score {shown(score)} is not a finite number")
    if not is_id(entry["category_id"]) or entry["category_id"] not in categories:
        faults.append(f"category_id {shown(entry['category_id'])} is not in the data set")
    if not is_id(entry["video_id"]) or entry["video_id"] not in videos:
        return [*faults, f"video_id {shown(entry['video_id'])} is not in the data set"]
    return faults + _segmentation_faults(entry["segmentations"], videos[entry["video_id"]])


def _segmentation_faults(segmentations: Any, video: dict[str, Any]) -> list[str]:
    if not isinstance(segmentations, list | PerFrame):
        return ["segmentations are not a list with one entry per frame"]
    frames = len(video["file_names"])
    faults = []
    if len(segmentations) != frames:
        faults.append(f"{len(segmentations)} segmentations, video {video['id']} has {frames} frames")
    if all(segmentation is None for segmentation in segmentations):
        faults.append("no frame has a segmentation")
    for frame, segmentation in enumerate(segmentations):
        if segmentation is None:
            continue
        if not isinstance(segmentation, dict) or not isinstance(segmentation.get("counts"), str):
            faults.append(f"frame {frame}: not a compressed RLE with counts as a string")
            continue
        try:
            to_rle(segmentation, (video["height"], video["width"]))
        except ValueError as error:
            faults.append(f"frame {frame}: {error}")
    return faults


def write_submission(path: str | Path, entries: list[dict[str, Any]]) -> None:
    """Write the zip atomically, without what servers do not read (boxes, labels of frames)."""
    kept = ({key: entry[key] for key in KEYS} for entry in entries)

    def pack(file: IO[bytes]) -> None:
        with (
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open(SUBMISSION_MEMBER, "w", force_zip64=True) as member,
        ):
            write_json(kept, member)

    write_atomically(path, pack)
