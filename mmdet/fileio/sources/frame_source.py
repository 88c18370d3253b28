"""Open what a user gives as a video: a video file, a folder of images, an animated picture (GIF, WebP) or one image.

All are read once, frame after frame, as `TimedFrame`s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from mmdet.errors import UserError
from mmdet.fileio.pictures.image_decoding import read_image
from mmdet.fileio.pictures.images import (
    IMAGE_ENDINGS,
    PILLOW_ERRORS,
    damaged,
    header_of,
    is_image_name,
    list_folder,
    names_of,
    opened_by_pillow,
)
from mmdet.fileio.pictures.video import LazyFrame, TimedFrame, VideoFile, open_video
from mmdet.fileio.pictures.video_streams import DEFAULT_RATE

VIDEO_ENDINGS = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".vob", ".wmv"),
    *(".flv", ".ogv", ".3gp", ".mxf", ".dv", ".h264", ".h265", ".hevc", ".y4m", ".mjpg", ".mjpeg"),
)
_JPEGS = (".mjpg", ".mjpeg")  # several JPEGs in one file, which starts like a single image
_MOVING = ("GIF", "PNG", "WEBP", "AVIF")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)


class FrameSource(Protocol):
    """The frames of a video in order. They can be read once."""

    @property
    def path(self) -> Path | None:
        """The file or folder, None for a camera or an address."""

    @property
    def rate(self) -> Fraction:
        """Frames per second."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know beforehand."""

    def __iter__(self) -> Iterator[TimedFrame]: ...

    @property
    def promised(self) -> int | None:
        """Number of frames that the source announces, None if it announces none."""

    @property
    def loss(self) -> str | None:
        """What could not be read, known at the end; None if nothing is missing."""


@runtime_checkable
class LazySource(Protocol):
    """A source that can leave out the work on frames which are not used."""

    def lazy(self) -> Iterator[LazyFrame]:
        """Yield the frames without their pictures."""


def open_source(path: Path, one_size: bool = False, notes: tuple[str, ...] = ()) -> FrameSource:
    """Return the frames of a video file, a folder of images, an animated picture or an image.

    `one_size`: check the headers of a folder of images first and refuse different sizes. `notes` are added to those of
    the frames. Raises UserError that says what the path is if it is none of these.
    """
    source = _opened(path, one_size)
    source.notes = (*notes, *source.notes)
    return source


def _opened(path: Path, one_size: bool) -> VideoFile | MovingPicture | ImageSequence:
    if not path.exists():
        if _ADDRESS.match(str(path)):
            raise UserError(
                f"{path} is an address, which find_sources opens; here give a video file or a folder of images"
            )
        raise UserError(f"{path} does not exist: give a video file or a folder of images")
    if path.is_dir():
        return _folder(path, one_size)
    if not path.is_file():
        raise UserError(f"{path} is a device or a pipe: give a video file or a folder of images")
    if path.suffix.lower() in _JPEGS or (path.suffix.lower() in VIDEO_ENDINGS and not _is_image(path)):
        return open_video(path)
    if is_image_name(path) or _is_image(path):
        count = _num_pictures(path)
        return MovingPicture(path, count) if count > 1 else ImageSequence(path, [path])
    return open_video(path)


def read_video(path: Path) -> Iterator[np.ndarray]:
    """Yield the frames (H, W, 3) uint8 RGB of a source, see `open_source`."""
    return (frame.image for frame in open_source(path))


class ImageSequence:
    """Images as the frames of a video, with `DEFAULT_RATE` frames per second."""

    rate = DEFAULT_RATE
    loss: str | None = None

    def __init__(self, path: Path, images: Sequence[Path], notes: tuple[str, ...] = ()) -> None:
        self.path, self.notes = path, notes
        self._images = images

    def __iter__(self) -> Iterator[TimedFrame]:
        return (frame.read() for frame in self.lazy())

    def lazy(self) -> Iterator[LazyFrame]:
        """Yield the images before they are opened."""
        for index, path in enumerate(self._images):
            yield LazyFrame(picture=partial(read_image, path), time_s=float(index / self.rate), name=str(path))

    @property
    def promised(self) -> int:
        """Number of images."""
        return len(self._images)

    def check_sizes(self) -> None:
        """Raise UserError that names the first image with another size than the first. Reads only headers."""
        first = None
        for path in self._images:
            try:
                header = header_of(path)
            except UserError:
                continue  # reported when it is read
            first = first or header
            if header.upright != first.upright:
                turned = " (turned by its EXIF orientation)" if header.orientation != first.orientation else ""
                raise UserError(
                    f"{path} is {header.upright[1]}x{header.upright[0]}{turned}, {self._images[0].name} "
                    f"{first.upright[1]}x{first.upright[0]}: give all the same size, or use --resize-to-first"
                )


class MovingPicture:
    """The pictures of an animated GIF, PNG, WebP or AVIF, with the time at which each is shown."""

    notes: tuple[str, ...] = ()
    loss: str | None = None

    def __init__(self, path: Path, count: int) -> None:
        self.path, self.promised = path, count
        header_of(path)  # refuses huge images
        shown_ms = _shown_ms(path)
        self.rate = Fraction(1000 / shown_ms).limit_denominator(1001) if shown_ms > 0 else DEFAULT_RATE

    def __iter__(self) -> Iterator[TimedFrame]:
        time_s = 0.0
        with self.path.open("rb") as file:
            try:
                with opened_by_pillow(file) as image:
                    for index in range(self.promised):
                        image.seek(index)
                        picture = np.array(image.convert("RGB"))
                        yield TimedFrame(image=picture, time_s=time_s, name=f"{self.path}, picture {index}")
                        time_s += float(image.info.get("duration", 0) or 0) / 1000 or float(1 / self.rate)
            except PILLOW_ERRORS as error:
                raise damaged(self.path, self.path.stat().st_size) from error


def _shown_ms(path: Path) -> float:
    """Return how long the first picture is shown, 0 if the file does not say."""
    try:
        with path.open("rb") as file, opened_by_pillow(file) as image:
            image.load()  # WebP states it only after loading
            return float(image.info.get("duration", 0) or 0)
    except PILLOW_ERRORS as error:
        raise damaged(path, path.stat().st_size) from error


def folder_entries(path: Path) -> tuple[list[Path], list[Path]]:
    """Return the images of a folder and its other entries, both in natural order and without hidden files."""
    entries = list_folder(path, "folder")
    images = {entry: None for entry in entries if is_image_name(entry) and entry.is_file()}
    return list(images), [entry for entry in entries if entry not in images]


def _folder(path: Path, one_size: bool) -> ImageSequence:
    images, others = folder_entries(path)
    if not images:
        raise UserError(why_no_images(path, others))
    notes = (
        (f"{path}: not read, because they are not images of a supported format: {names_of(others)}",) if others else ()
    )
    sequence = ImageSequence(path, images, notes)
    if one_size:
        sequence.check_sizes()
    return sequence


def why_no_images(path: Path, others: Sequence[Path]) -> str:
    """Return the error for a folder without images that holds `others`."""
    folders = [entry for entry in others if entry.is_dir()]
    videos = [entry for entry in others if entry.suffix.lower() in VIDEO_ENDINGS]
    if not others:
        return f"folder {path} is empty: give a video file or a folder of images"
    if videos:
        return f"folder {path} holds videos ({names_of(videos)}) and no images: give one of them"
    if len(folders) == len(others):
        return f"folder {path} holds folders ({names_of(folders)}) and no images: give one of them"
    return f"folder {path} holds no image, only {names_of(others)}; images end with {' '.join(IMAGE_ENDINGS)}"


def _is_image(path: Path) -> bool:
    try:
        header_of(path)
    except UserError:
        return False
    return True


def _num_pictures(path: Path) -> int:
    try:
        with path.open("rb") as file, opened_by_pillow(file) as image:
            return int(getattr(image, "n_frames", 1)) if image.format in _MOVING else 1
    except PILLOW_ERRORS:
        return 1  # the error is reported when it is read
