"""Write COCO instances with `track_id`: an image per frame, an annotation per object and frame.

The identity also stands among the `attributes`, where CVAT's "COCO 1.0" has it; `video_id` and `frame_id` are those of
CocoVID. Source: docs/export_results.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from mmdet.fileio.exporting.shapes import polygons_of
from mmdet.fileio.exporting.tracks import ExportOptions, ExportSet, ExportTrack
from mmdet.ops.masks.segmentations import mask_areas, mask_boxes

_DECIMALS_SCORE, _DECIMALS_POINT = 6, 2


def coco_names(data: ExportSet) -> Iterator[PurePosixPath]:
    """Yield the one file that is written; the name is replaced by the user's."""
    yield PurePosixPath("instances.json")


def coco_files(data: ExportSet, options: ExportOptions) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield the file and its content. Track ids are unique in the whole file."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    first = 0
    for video in data.videos:
        height, width = video.info.size
        for frame, file_name in enumerate(video.info.file_names):
            image = {"id": len(images) + 1, "file_name": file_name, "height": height, "width": width}
            images.append({**image, "video_id": video.info.video_id, "frame_id": frame})
            for track in video.seen_in(frame):
                entry = _annotation(track, frame, first + track.track_id, options)
                annotations.append({"id": len(annotations) + 1, "image_id": len(images), **entry})
        first += max((track.track_id for track in video.tracks), default=0)
    content = {
        "info": {"description": "tracks of videos"},
        "videos": [{"id": video.info.video_id, "name": video.name} for video in data.videos],
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in data.class_names.items()],
    }
    yield next(coco_names(data)), json.dumps(content, ensure_ascii=False).encode()


def _annotation(track: ExportTrack, frame: int, track_id: int, options: ExportOptions) -> dict[str, Any]:
    mask = track.masks[frame]
    segmentation: Any = dict(mask)
    if options.shapes == "polygon":
        segmentation = [outline.round(_DECIMALS_POINT).ravel().tolist() for outline in polygons_of(mask, options)]
    return {
        "category_id": track.category_id,
        "track_id": track_id,
        "segmentation": segmentation,
        "bbox": mask_boxes([mask])[0].tolist(),
        "area": int(mask_areas([mask])[0]),
        "iscrowd": 0,
        "score": round(track.score, _DECIMALS_SCORE),
        "attributes": {"track_id": track_id, "occluded": False},
    }
