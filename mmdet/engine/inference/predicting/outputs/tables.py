"""The tracks as a table, NAME/tracks.csv, and as COCO json of single images, NAME/coco.json."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmdet.engine.inference.predicting.outputs.sink import PredictedFrame, VideoStart, write_file
from mmdet.fileio.results.predictions import PredictedVideo, annotations_of

COLUMNS = ("frame", "time_s", "track_id", "category", "score", "x", "y", "w", "h", "area")


class _AtTheEnd:
    """A writer that needs no frame, only the tracks that are kept."""

    file_name: str

    def __init__(self, name: str) -> None:
        self.path = Path(name) / self.file_name
        self._folder = Path()

    def open(self, folder: Path, start: VideoStart) -> None:
        """Note the folder."""
        self._folder = folder

    def add(self, frame: PredictedFrame) -> None:
        """Do nothing: whether a track is kept is known at the end."""


class CsvSink(_AtTheEnd):
    """One row per object and frame, by frame."""

    file_name = "tracks.csv"

    def finish(self, video: PredictedVideo) -> None:
        """Write the table."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for frame, entry, box, area, _ in seen_objects(video):
            category = video.class_names[video.category_ids.index(entry["category_id"])]
            time_s = round(video.times_s[frame], 6)
            writer.writerow((frame, time_s, entry["track_id"], category, entry["scores"][frame], *box, area))
        write_file(self._folder / self.path, text.getvalue().encode())


class CocoSink(_AtTheEnd):
    """Images and annotations of COCO with `track_id`, and with scores; `file_name`s as in the json of the video."""

    file_name = "coco.json"

    def finish(self, video: PredictedVideo) -> None:
        """Write the json."""
        height, width = video.result.size
        images = [
            {"id": frame + 1, "file_name": name, "width": width, "height": height, "frame_id": frame, "video_id": 1}
            for frame, name in enumerate(video.file_names)
        ]
        annotations: list[dict[str, Any]] = [
            {
                "id": number,
                "image_id": frame + 1,
                "track_id": entry["track_id"],
                "category_id": entry["category_id"],
                "score": entry["scores"][frame],
                "bbox": box,
                "area": area,
                "segmentation": code,
                "iscrowd": 0,
            }
            for number, (frame, entry, box, area, code) in enumerate(seen_objects(video), start=1)
        ]
        categories = zip(video.category_ids, video.class_names, strict=True)
        content = {
            "videos": [{"id": 1, "name": video.name, "width": width, "height": height}],
            "images": images,
            "annotations": annotations,
            "categories": [{"id": category_id, "name": name} for category_id, name in categories],
        }
        write_file(self._folder / self.path, json.dumps(content, allow_nan=False).encode())


def seen_objects(video: PredictedVideo) -> Iterator[tuple[int, dict[str, Any], list[float], int, dict[str, Any]]]:
    """Yield frame, entry of the track, box (xywh), area and mask of every object in every frame, by frame."""
    rows = []
    for entry in annotations_of(video):
        boxes, areas, codes = entry["bboxes"], entry["areas"], entry["segmentations"]
        rows += [
            (frame, entry, box, area, code)
            for frame, box, area, code in zip(boxes.frames, boxes.values, areas.values, codes.values, strict=True)
        ]
    return iter(sorted(rows, key=lambda row: row[0]))
