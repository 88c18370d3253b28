"""Pictures of single objects: crops, NAME/crops/ID_CLASS/00000.jpg, and cut-outs, NAME/cutouts/ID_CLASS/00000.png."""

from __future__ import annotations

import math
import re
import shutil
from pathlib import Path

import cv2
import numpy as np

from mmdet.engine.inference.predicting.outputs.sink import (
    PredictedFrame,
    ShownObject,
    VideoStart,
    frame_name,
    write_file,
)
from mmdet.fileio.pictures.drawn_jpeg import encode_drawing
from mmdet.fileio.results.predictions import PredictedVideo
from mmdet.visualization.draw import Picture

_JPEG_QUALITY = 92
_LONGEST_CLASS = 80  # characters of a class in a folder's name


class ObjectPictures:
    """One picture per shown object and frame, in a folder per track.

    At the end the folders get the class of their track, and those of tracks that are not kept are removed.
    """

    kind: str
    ending: str

    def __init__(self, name: str) -> None:
        self.path = Path(name) / self.kind
        self._folder = Path()

    def open(self, folder: Path, start: VideoStart) -> None:
        """Create the folder, which stays empty if nothing is found."""
        self._folder = folder / self.path
        self._folder.mkdir(parents=True)

    def add(self, frame: PredictedFrame) -> None:
        """Write a picture of every object that has a part in the frame."""
        for item in frame.objects:
            if data := self.encode(frame.image, item):
                write_file(self._folder / str(item.track_id) / frame_name(frame.index, self.ending), data)

    def finish(self, video: PredictedVideo) -> None:
        """Name the folders."""
        kept = {str(tube.track_id): video.class_names[tube.label] for tube in video.result.tubes}
        for folder in list(self._folder.iterdir()):
            if folder.name in kept:
                folder.rename(folder.with_name(f"{folder.name}_{_safe(kept[folder.name])}"))
            else:
                shutil.rmtree(folder)

    def encode(self, image: Picture, item: ShownObject) -> bytes | None:
        """Return the bytes of the picture of an object; None if nothing of it is in the frame."""
        raise NotImplementedError


class CropsSink(ObjectPictures):
    """The part of the frame in the object's box."""

    kind, ending = "crops", ".jpg"

    def encode(self, image: Picture, item: ShownObject) -> bytes | None:
        """Return the crop as JPEG."""
        x1, y1 = (max(math.floor(side), 0) for side in item.box[:2])
        x2, y2 = (math.ceil(side) for side in item.box[2:])
        crop = image[y1 : max(y2, 0), x1 : max(x2, 0)]
        return encode_drawing(np.ascontiguousarray(crop), _JPEG_QUALITY) if crop.size else None


class CutoutSink(ObjectPictures):
    """The pixels of the object's mask on a transparent background."""

    kind, ending = "cutouts", ".png"

    def encode(self, image: Picture, item: ShownObject) -> bytes | None:
        """Return the cut-out as PNG, as large as the mask."""
        rows, columns = np.flatnonzero(item.mask.any(axis=1)), np.flatnonzero(item.mask.any(axis=0))
        if not len(rows):
            return None
        part = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        opaque = item.mask[part]
        colors = cv2.cvtColor(np.ascontiguousarray(image[part]), cv2.COLOR_RGB2BGR) * opaque[..., None]
        data: bytes = cv2.imencode(".png", np.dstack([colors, opaque * np.uint8(255)]))[1].tobytes()
        return data


def _safe(name: str) -> str:
    """Return a class name without characters that a folder's name cannot hold."""
    return re.sub(r"[^\w.-]+", "_", name)[:_LONGEST_CLASS]
