"""Small pictures of frames, inside of the page as data addresses, and how small they must be for the page's limit."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from mmdet.errors import UserError
from mmdet.fileio.pictures.frame_files import frame_path
from mmdet.fileio.pictures.image_decoding import read_image
from mmdet.fileio.sources.frame_source import open_source
from mmdet.report.inputs import ShownVideo
from mmdet.structures import Size
from mmdet.visualization.draw import Picture

SAMPLES = 24  # frames that are encoded to find the settings
RESERVE = 1.1  # real sizes are estimated from samples
_WEBP_EFFORT = 2  # of 6: a tenth larger than with the default 4, in half of the time
_BASE64 = 4 / 3
_NO_PICTURES = "there is no folder of images and no readable source"


@dataclass(frozen=True, slots=True)
class PictureSettings:
    """How frames are made small: the longer side in pixels, and WebP's quality (0 to 100)."""

    long_edge: int
    quality: int

    def shown_size(self, size: Size) -> Size:
        """Return the size of pictures of frames of a size; frames are not enlarged."""
        scale = min(1.0, self.long_edge / max(size))
        return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


SETTINGS = tuple(  # best first
    PictureSettings(*values)
    for values in (
        *((1280, 80), (854, 75), (720, 70), (640, 65), (576, 60), (512, 60), (512, 45), (448, 45)),
        (400, 45),  # smaller ones do not show where a mask is wrong
    )
)


def choose_settings(
    videos: Sequence[ShownVideo], image_folder: str | None, limit: int
) -> tuple[PictureSettings, float]:
    """Return the best settings by which the pictures of all videos take at most `limit` bytes, and how many they take.

    If none do, the smallest. Sizes are estimated from some frames.
    """
    samples = list(_samples(videos, image_folder))
    frames = sum(video.num_frames for video in videos)
    size = 0.0
    for settings in SETTINGS:
        sizes = [len(encode(sample, settings)) for sample in samples]
        size = RESERVE * frames * float(np.mean(sizes)) if sizes else 0.0
        if size <= limit:
            return settings, size
    return SETTINGS[-1], size


def encode(frame: Picture, settings: PictureSettings) -> str:
    """Return a frame (H, W, 3) uint8 RGB as a data address."""
    height, width = settings.shown_size((frame.shape[0], frame.shape[1]))
    small = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
    file = io.BytesIO()
    Image.fromarray(small).save(file, "WEBP", quality=settings.quality, method=_WEBP_EFFORT)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"


def read_frames(video: ShownVideo, image_folder: str | None) -> Iterator[Picture | str]:
    """Yield every frame of a video, or why it cannot be read."""
    if image_folder is not None and video.file_names:
        yield from (_read(video, image_folder, name) for name in video.file_names)
    elif video.source is not None and Path(video.source).exists():
        yield from _read_source(video, Path(video.source))
    else:
        yield from [_NO_PICTURES] * video.num_frames


def _read(video: ShownVideo, image_folder: str, name: str) -> Picture | str:
    try:
        return np.asarray(read_image(frame_path(image_folder, name), video.size), np.uint8)
    except UserError as error:
        return str(error)


def _read_source(video: ShownVideo, path: Path) -> Iterator[Picture | str]:
    """Yield the frames of a source that are nearest to the video's times; without times the first ones."""
    count, near_s = 0, 0.25 / video.fps
    missing = f"{path} has no such frame any more"
    try:
        for frame in open_source(path):
            if count == video.num_frames:
                return
            if video.times_s and frame.time_s < video.times_s[count] - near_s:
                continue
            fits = frame.image.shape[:2] == video.size
            yield np.asarray(frame.image, np.uint8) if fits else f"{path} has frames of another size now"
            count += 1
    except (UserError, OSError) as error:
        missing = str(error)
    yield from [missing] * (video.num_frames - count)


def _samples(videos: Sequence[ShownVideo], image_folder: str | None) -> Iterator[Picture]:
    """Yield some readable frames, evenly from the videos with files, and the first ones of the others."""
    steps = np.linspace(0, len(videos) - 1, min(len(videos), SAMPLES)).round().astype(int).tolist()
    for turn, index in enumerate(steps):
        video = videos[index]
        if image_folder is not None and video.file_names:
            place = (turn * 7 % 11) * video.num_frames // 11
            sample = _read(video, image_folder, video.file_names[place])
        else:
            sample = next(read_frames(video, image_folder), _NO_PICTURES)
        if not isinstance(sample, str):
            yield sample
