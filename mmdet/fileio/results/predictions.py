"""The json of `tools/predict.py`: one video, its tracks and how they were made (the format: docs/predict.md).

It is a YouTube-VIS file with scores: `annotations` are the tracks, each with `track_id`, `score` and `scores` per
frame. `info` comes first, so that a later run can tell from the beginning of a file whose it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from mmdet.fileio.results.predicted_entries import MADE_BY
from mmdet.fileio.results.result_file import write_json
from mmdet.ops.masks.segmentations import mask_areas
from mmdet.structures import RLE, Box, PerFrame, TrackTube, VideoResult
from mmdet.structures.per_frame import seen_values

_START = f'{{"info": {{"made_by": "{MADE_BY}"'
_HEAD = 2**17  # characters: enough for `info`, which lists names and options
_DECIMALS_TIME, _DECIMALS_SCORE, _DECIMALS_BOX = 6, 6, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictedVideo:
    """A video and its tracks at the end of the prediction. `result` holds the tracks that are kept."""

    name: str
    source: str  # the path or address it was read from
    rate: float  # frames per second that the source states
    times_s: Sequence[float]  # per frame, seconds since the source's first frame
    file_names: Sequence[str]  # per frame, relative to a folder of images
    promised: int | None  # frames that the source announced
    complete: bool  # whether the source was read to its end without a loss
    dropped: int = 0  # frames of a live source that came too fast
    class_names: Sequence[str]  # by label
    category_ids: Sequence[int]  # by label
    result: VideoResult

    def keeping(self, threshold: float, labels: frozenset[int] | None) -> PredictedVideo:
        """Return the video with the tracks of at least this score, of these labels (None: all)."""
        tubes = (tube for tube in self.result.tubes if tube.score >= threshold)
        kept = tuple(tube for tube in tubes if labels is None or tube.label in labels)
        return replace(self, result=replace(self.result, tubes=kept))


def write_predictions(file: BinaryIO, info: Mapping[str, Any], video: PredictedVideo, with_tracks: bool = True) -> None:
    """Write the json of a video. Without tracks it has no `annotations` and says only what was read and how."""
    categories = [
        {"id": category_id, "name": name}
        for category_id, name in zip(video.category_ids, video.class_names, strict=True)
    ]
    about = {"info": {"made_by": MADE_BY, **info}, "videos": [_video_entry(video)], "categories": categories}
    head = json.dumps(about, allow_nan=False)
    file.write(head.removesuffix("}").encode())
    if with_tracks:
        file.write(b', "annotations": ')
        write_json(annotations_of(video), file)
    file.write(b"}\n")


def _video_entry(video: PredictedVideo) -> dict[str, Any]:
    return {
        "id": video.result.video_id,
        "name": video.name,
        "source": video.source,
        "width": video.result.size[1],
        "height": video.result.size[0],
        "length": video.result.num_frames,
        "fps": video.rate,
        "complete": video.complete,
        "frames_read": video.result.num_frames,
        "frames_promised": video.promised,
        "frames_dropped": video.dropped,
        "times": [round(time, _DECIMALS_TIME) for time in video.times_s],
        "file_names": list(video.file_names),
    }


def annotations_of(video: PredictedVideo) -> Iterator[dict[str, Any]]:
    """Yield the entry of each track; values per frame are PerFrame."""
    height, width = video.result.size
    for number, tube in enumerate(video.result.tubes, start=1):
        yield {
            "id": number,
            "video_id": video.result.video_id,
            "track_id": tube.track_id,
            "category_id": video.category_ids[tube.label],
            "score": tube.score,
            "iscrowd": 0,
            "width": width,
            "height": height,
            "length": video.result.num_frames,
            "scores": _rounded_scores(tube),
            **_shapes(tube, (width, height)),
        }


def _rounded_scores(tube: TrackTube) -> Sequence[float | None]:
    return [None if score is None else round(score, _DECIMALS_SCORE) for score in tube.scores]


def _shapes(tube: TrackTube, sides: tuple[int, int]) -> dict[str, Any]:
    """Return boxes, masks and areas per frame. A frame in which a mask has no pixel has none of them."""
    frames = [frame for frame, code in enumerate(tube.segmentations) if code is not None]
    codes: list[RLE] = list(seen_values(tube.segmentations))
    areas = mask_areas(codes).tolist()
    rows = [(frame, code, area) for frame, code, area in zip(frames, codes, areas, strict=True) if area]
    seen, length = tuple(frame for frame, _, _ in rows), len(tube.segmentations)
    boxes = tuple(xywh(box, sides) if (box := tube.boxes[frame]) else None for frame in seen)
    return {
        "areas": PerFrame(length, seen, tuple(area for _, _, area in rows)),
        "bboxes": PerFrame(length, seen, boxes),
        "segmentations": PerFrame(length, seen, tuple(code for _, code, _ in rows)),
    }


def xywh(box: Box, sides: tuple[int, int]) -> list[float]:
    """Return a box as x, y, width, height within a frame of `sides` (width, height)."""
    x1, x2 = (min(max(side, 0.0), sides[0]) for side in box[::2])
    y1, y2 = (min(max(side, 0.0), sides[1]) for side in box[1::2])
    return [round(value, _DECIMALS_BOX) for value in (x1, y1, x2 - x1, y2 - y1)]


def read_info(path: Path) -> dict[str, Any] | None:
    """Return what a json of predictions says about its making; None if the file is missing or another one."""
    try:
        with path.open(encoding="utf-8") as file:
            head = file.read(_HEAD)
        if not head.startswith(_START):
            return None
        info, _ = json.JSONDecoder().raw_decode(head, head.index("{", 1))
    except (OSError, ValueError, RecursionError):
        return None
    return dict(info)
