"""Convert the entries of a result file to results of videos for drawing, with every mask, box and label checked.

Entries may come from other programs: masks of all kinds become compressed RLE, boxes are clipped to the frame, and
tracks without a mask are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from mmdet.errors import UserError, shown
from mmdet.evaluation.tracks.box_tracks import read_box_track
from mmdet.fileio.annotations.vis_json import VideoInfo
from mmdet.ops.masks.segmentations import to_rle, to_rles
from mmdet.structures import RLE, Size, VideoResult

_LISTS = ("segmentations", "detections", "cats")
_SHOWN_IDS = 5


def rebuild_results(
    entries: Sequence[Mapping[str, Any]],
    videos: Sequence[VideoInfo],
    category_ids: Sequence[int],
    ann_file: str,
) -> list[VideoResult]:
    """Return the results of all videos from the entries of a result file.

    Raises UserError that names the first entry that does not fit the data set of `ann_file`, and why.
    """
    by_id = {video.video_id: video for video in videos}
    by_video: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for kind, known, key in (("videos", by_id, "video_id"), ("categories", category_ids, "category_id")):
        strange = sorted({entry[key] for entry in entries} - set(known))
        if strange:
            raise UserError(f"the results are of {kind} that {ann_file} does not have: {strange[:_SHOWN_IDS]}")
    for index, entry in enumerate(entries):
        video = by_id[entry["video_id"]]
        where = f"result {index} of video {video.video_id}"
        by_video[video.video_id].append(_checked(entry, video, len(category_ids), where))
    return [
        VideoResult.from_json(by_video[video.video_id], video.video_id, video.size, len(video.file_names), category_ids)
        for video in videos
    ]


def _checked(entry: Mapping[str, Any], video: VideoInfo, num_classes: int, where: str) -> dict[str, Any]:
    """Return an entry with RLE masks, and with boxes and labels that can be drawn."""
    size, num_frames = video.size, len(video.file_names)
    for key in _LISTS:
        values = entry.get(key)
        if values is not None and (not isinstance(values, list | tuple) or len(values) != num_frames):
            length = f"{len(values)} entries" if isinstance(values, list | tuple) else shown(values)
            raise UserError(f"{where} has {key} that are not a list of {num_frames} entries, one per frame: {length}")
    checked = {**entry, "segmentations": _masks(entry["segmentations"], size, where)}
    if entry.get("detections") is not None:
        checked["detections"] = _boxes(entry["detections"], size, where)
    for frame, label in enumerate(entry.get("cats") or ()):
        if label is not None and not (type(label) is int and 0 <= label < num_classes):
            raise UserError(
                f"{where}, frame {frame}: cats holds {shown(label)}, labels are null or 0 to {num_classes - 1}"
            )
    return checked


def _masks(segmentations: Sequence[Any], size: Size, where: str) -> list[RLE | None]:
    masks: list[RLE | None] = [None] * len(segmentations)
    frames = [frame for frame, segmentation in enumerate(segmentations) if segmentation]
    try:
        rles = to_rles([segmentations[frame] for frame in frames], size)
    except ValueError:
        for frame in frames:
            try:
                to_rle(segmentations[frame], size)
            except ValueError as error:
                raise UserError(f"{where}, frame {frame}: {error}") from error
        raise
    for frame, rle in zip(frames, rles, strict=True):
        masks[frame] = rle
    return masks


def _boxes(boxes: Sequence[Any], size: Size, where: str) -> list[list[float] | None]:
    try:
        corners = read_box_track(boxes, is_xyxy=True).boxes
    except ValueError as error:
        raise UserError(f"{where}, {error}") from error
    inside = corners.clip(0, [size[1], size[0], size[1], size[0]]).tolist()
    return [row if box else None for box, row in zip(boxes, inside, strict=True)]
