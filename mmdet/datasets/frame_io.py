"""Frames on disk: where they are, which are missing, and their pixels.

Knows nothing of annotations. A damaged file is an error, never a half-grey image: decoders fill up what is cut off.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from mmdet.errors import UserError, shown
from mmdet.structures import Size

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
_JPEG_START, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"


def frame_path(img_prefix: str | Path, file_name: str) -> str:
    """Join a frame's name to its image folder; UserError if the name leads out of the folder or can be no file's.

    Links inside of the folder are the user's own and may lead anywhere; `..` is taken back from the name itself, so
    that it leads nowhere through them.
    """
    if "\0" in file_name:
        raise UserError(f"file name {shown(file_name)} holds a zero byte, as no file's name does")
    name = os.path.normpath(file_name) if ".." in file_name else file_name
    if name.split(os.sep)[0] == ".." or os.path.isabs(name):
        raise UserError(
            f"file name {shown(file_name)} leads out of the image folder {img_prefix}; names are relative to it"
        )
    return os.path.join(img_prefix, name)


def read_frame(path: str | Path, size: Size | None = None) -> np.ndarray:
    """Return an image as (H, W, 3) uint8 RGB.

    Raises UserError with the path if it is missing, not an image, cut off, or not of `size` (height, width).
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"frame {path} cannot be read: {error.strerror}") from error
    image = (
        None if not data or _is_cut_off_jpeg(data) else cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    )
    if image is None:
        raise UserError(f"frame {path} is damaged or no image ({len(data)} bytes); copy it anew")
    if size is not None and image.shape[:2] != tuple(size):
        height, width = image.shape[:2]
        raise UserError(f"frame {path} is {width}x{height}, its annotation file says {size[1]}x{size[0]}")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def read_video(source: Path) -> Iterator[np.ndarray]:
    """Yield the frames (H, W, 3) uint8 RGB of a video file, or of a folder of images in the order of their names."""
    if source.is_dir():
        for path in sorted(path for path in source.iterdir() if path.suffix.lower() in IMAGE_ENDINGS):
            yield read_frame(path)
        return
    capture = cv2.VideoCapture(str(source))
    while True:
        found, frame = capture.read()
        if not found:
            return
        yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)


def missing_frames(paths: Sequence[str]) -> list[str]:
    """Return the paths without a file, in order; every folder is listed once instead of asking for every file."""
    listed: dict[str, set[str]] = {}
    missing = []
    for path in paths:
        folder, name = os.path.split(path)
        if folder not in listed:
            listed[folder] = set(os.listdir(folder)) if os.path.isdir(folder) else set()
        if name not in listed[folder]:
            missing.append(path)
    return missing


def _is_cut_off_jpeg(data: bytes) -> bool:
    """Say whether a JPEG ends within its last scan; inside a scan neither marker can occur."""
    if not data.startswith(_JPEG_START):
        return False
    end = data.rfind(_JPEG_END)
    return data.find(_JPEG_SCAN, max(end, 0)) >= 0  # a whole file is not searched: its last bytes are an end
