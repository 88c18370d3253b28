"""Masks as palette PNGs, NAME/masks/00000.png, in the form that tools/convert.py reads as png.

The value of a pixel is the number of its object: 0 is background, the objects count from 1 in the order in which they
are first shown.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from mmdet.engine.inference.predicting.outputs.sink import PredictedFrame, VideoStart, frame_name, write_file
from mmdet.fileio.results.predictions import PredictedVideo
from mmdet.visualization.draw import track_color

LARGEST_NUMBER = 254  # 255 means void in such PNGs
NUMBERS_FILE = "objects.json"


class MasksSink:
    """One PNG per frame, and objects.json, which says for every number its track and class."""

    def __init__(self, name: str) -> None:
        self.path = Path(name) / "masks"
        self._folder = Path()
        self._numbers: dict[int, int] = {}  # by track id
        self._palette = [0, 0, 0] * 256

    def open(self, folder: Path, start: VideoStart) -> None:
        """Note the folder."""
        self._folder = folder / self.path

    def add(self, frame: PredictedFrame) -> None:
        """Write the numbers of a frame. Where masks overlap, the better object is on top."""
        numbers = np.zeros(frame.image.shape[:2], np.uint8)
        for item in reversed(frame.objects):
            if number := self._number(item.track_id):
                numbers[item.mask] = number
        image, data = Image.fromarray(numbers, mode="P"), io.BytesIO()
        image.putpalette(self._palette)
        image.save(data, format="PNG")
        write_file(self._folder / frame_name(frame.index, ".png"), data.getvalue())

    def finish(self, video: PredictedVideo) -> None:
        """Write what the numbers mean."""
        kept = {tube.track_id: tube for tube in video.result.tubes}
        objects = {
            str(number): {
                "track_id": track_id,
                "category": video.class_names[kept[track_id].label],
                "score": round(kept[track_id].score, 6),
            }
            for track_id, number in self._numbers.items()
            if track_id in kept
        }
        write_file(self._folder / NUMBERS_FILE, (json.dumps(objects, indent=1, ensure_ascii=False) + "\n").encode())

    def _number(self, track_id: int) -> int | None:
        """Return the number of a track; None if there are no more numbers."""
        if track_id not in self._numbers and len(self._numbers) < LARGEST_NUMBER:
            number = self._numbers[track_id] = len(self._numbers) + 1
            self._palette[3 * number : 3 * number + 3] = track_color(track_id)
        return self._numbers.get(track_id)
