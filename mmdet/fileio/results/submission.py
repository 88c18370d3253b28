"""Check results against the videos of a data set, list all faults, and pack the results for an evaluation server.

A submission is a zip with `results.json` at its root: a list of {video_id, category_id, score, segmentations}, with the
data set's ids and one compressed RLE or null per frame at the original size.
"""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from mmdet.errors import shown
from mmdet.fileio.annotations.vis_json import VideoInfo
from mmdet.fileio.atomic import write_atomically
from mmdet.fileio.results.result_file import SUBMISSION_MEMBER, entry_faults, write_json
from mmdet.ops.masks.segmentations import to_rle

KEYS = ("video_id", "category_id", "score", "segmentations")


def find_faults(entries: Any, videos: Iterable[VideoInfo], category_ids: Collection[int]) -> list[str]:
    """Return one line per fault of result entries for videos of a data set, [] if a server would accept them.

    Of an entry whose keys, ids or score are invalid only those are named.
    """
    if not isinstance(entries, list):
        return [f"results are a list of entries, got {type(entries).__name__}"]
    by_id = {video.video_id: video for video in videos}
    faults = []
    for index, entry in enumerate(entries):
        own = entry_faults(entry) or _faults_for(entry, by_id, category_ids)
        faults += [f"result {index} {fault}" for fault in own]
    return faults


def _faults_for(entry: dict[str, Any], videos: Mapping[int, VideoInfo], category_ids: Collection[int]) -> list[str]:
    """Return the faults of an entry whose keys, ids and score are valid."""
    video, category_id = videos.get(entry["video_id"]), entry["category_id"]
    faults = [] if category_id in category_ids else [f"has category_id {shown(category_id)}, not of the data set"]
    if video is None:
        return [*faults, f"has video_id {shown(entry['video_id'])}, not of the data set"]
    return faults + _segmentation_faults(entry["segmentations"], video)


def _segmentation_faults(segmentations: Any, video: VideoInfo) -> list[str]:
    frames = len(video.file_names)
    faults = []
    if len(segmentations) != frames:
        faults.append(f"has {len(segmentations)} segmentations, video {video.video_id} has {frames} frames")
    if all(segmentation is None for segmentation in segmentations):
        faults.append("has a segmentation in no frame")
    for frame, segmentation in enumerate(segmentations):
        if segmentation is None:
            continue
        if not isinstance(segmentation, dict) or not isinstance(segmentation.get("counts"), str):
            faults.append(f"has in frame {frame} no compressed RLE with counts as a string")
            continue
        try:
            to_rle(segmentation, video.size)
        except ValueError as error:
            faults.append(f"has in frame {frame} an invalid mask: {error}")
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
