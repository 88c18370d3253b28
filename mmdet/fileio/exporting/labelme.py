"""Write folders of labelme: a json per frame, whose shapes have the track's id as their group id.

Source: labelme's documentation and the files that it writes; docs/export_results.md.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import cv2
import numpy as np

from mmdet.fileio.exporting.shapes import polygons_of, window_of
from mmdet.fileio.exporting.tracks import ExportOptions, ExportSet, ExportTrack, ExportVideo

_VERSION = "5.5.0"  # of labelme, whose files these are like
_DECIMALS = 2


def labelme_names(data: ExportSet) -> Iterator[PurePosixPath]:
    """Yield the files that are written, beside the frames if these are in the same folder."""
    for video in data.videos:
        yield from (_name(video, frame) for frame in range(len(video.info.file_names)))


def labelme_files(data: ExportSet, options: ExportOptions) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield the files and their contents. A frame that shows nothing has a json without shapes."""
    for video in data.videos:
        for frame, file_name in enumerate(video.info.file_names):
            shapes = [
                shape
                for track in video.seen_in(frame)
                for shape in _shapes(track, frame, data.class_names[track.category_id], options)
            ]
            content: dict[str, Any] = {
                "version": _VERSION,
                "flags": {},
                "shapes": shapes,
                "imagePath": PurePosixPath(file_name).name,
                "imageData": None,
                "imageHeight": video.info.size[0],
                "imageWidth": video.info.size[1],
            }
            yield _name(video, frame), json.dumps(content, ensure_ascii=False).encode()


def with_image_folder(name: PurePosixPath, content: bytes, out: str, image: str) -> bytes:
    """Return the content of a json with the way from it to its image, for images in another folder."""
    raw = json.loads(content)
    raw["imagePath"] = os.path.relpath(image, os.path.join(out, str(name.parent)))
    return json.dumps(raw, ensure_ascii=False).encode()


def _name(video: ExportVideo, frame: int) -> PurePosixPath:
    return PurePosixPath(video.name) / f"{video.stem(frame)}.json"


def _shapes(track: ExportTrack, frame: int, label: str, options: ExportOptions) -> Iterator[dict[str, Any]]:
    """Yield a polygon for each part of the object, or its mask."""
    about = {
        "label": label,
        "group_id": track.track_id,
        "description": f"score {track.score:.2f}",
        "flags": {},
    }
    if options.shapes == "mask":
        window = window_of(track.masks[frame])
        height, width = window.pixels.shape
        corners = [[window.left, window.top], [window.left + width - 1, window.top + height - 1]]
        _, png = cv2.imencode(".png", window.pixels.astype(np.uint8))
        coded = base64.b64encode(png.tobytes()).decode()
        yield {**about, "points": corners, "shape_type": "mask", "mask": coded}
        return
    for outline in polygons_of(track.masks[frame], options):
        yield {**about, "points": np.round(outline, _DECIMALS).tolist(), "shape_type": "polygon", "mask": None}
