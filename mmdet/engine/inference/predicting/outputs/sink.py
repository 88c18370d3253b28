"""What the writers of a prediction have in common: the frame that they get, and what they do with it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mmdet.fileio.results.predictions import PredictedVideo
from mmdet.structures import Size
from mmdet.visualization.draw import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownObject:
    """One object of a frame whose track is good enough to be shown."""

    track_id: int
    label: int  # of the track so far
    score: float  # mean of the track so far
    box: tuple[float, float, float, float]  # xyxy, pixels
    mask: NDArray[np.bool_]  # (H, W)


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictedFrame:
    """A frame with the objects to show, best first, and the drawn picture; () and None if no writer needs them."""

    index: int  # 0-based, among the frames of the output
    time_s: float  # since the first frame of the output
    image: Picture
    objects: tuple[ShownObject, ...]
    picture: Picture | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoStart:
    """What writers know before the first frame."""

    size: Size  # of the frames
    picture_size: Size  # of the drawn pictures: small frames are enlarged
    rate: Fraction  # frames per second


class Sink(Protocol):
    """A writer of one kind of output, for one video."""

    path: Path  # of the file or folder, relative to the folder of the outputs

    def open(self, folder: Path, start: VideoStart) -> None:
        """Start to write below `folder`, which exists."""

    def add(self, frame: PredictedFrame) -> None:
        """Take the next frame. Raises OSError if it cannot be written."""

    def finish(self, video: PredictedVideo) -> None:
        """Complete the output with the tracks that are kept, also after an early end."""


def write_file(path: Path, data: bytes) -> None:
    """Write a file of a folder that is not in its place yet; create the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def frame_name(index: int, ending: str) -> str:
    """Return the file name of a frame: `00017.jpg`."""
    return f"{index:05d}{ending}"
