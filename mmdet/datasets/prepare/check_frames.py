"""Whether every frame of a set is there, whole, an image, and of the size that the annotation file states.

Reads the header and the end of each file, which finds what was cut off while copying; damage inside of a file shows
only when it is decoded. Knows nothing of annotations.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from mmdet.datasets.frame_io import frame_path, missing_frames, read_frame
from mmdet.datasets.prepare.findings import Finding, Kind
from mmdet.errors import UserError
from mmdet.fileio.vis_json import VISJson
from mmdet.structures import Size

# All of these end training and cost testing its frames.
MISSING = Kind("missing frames", is_error=True)
EMPTY = Kind("frames that are empty files", is_error=True)
CUT_OFF = Kind("frames that are cut off", is_error=True)
UNREADABLE = Kind("frames that cannot be read", is_error=True)
OTHER_SIZE = Kind("frames of another size", is_error=True)

_THREADS = 8  # they wait for the disk, and decoders let go of Python's lock
_ORIENTATION = 0x0112  # EXIF 2.3, 4.6.4
_TURNED = (5, 6, 7, 8)  # orientations that swap width and height
_TAIL = 2**16  # bytes in which the end of a file is looked for: editors append notes of their own
_READ_ERRORS = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)  # all of Pillow's


def check_frames(data: VISJson, img_prefix: Path, decode: bool = False) -> list[Finding]:
    """Check all frames of a set below `img_prefix`, with a progress bar; `decode` all of each, not its ends alone."""
    sizes = {frame_path(img_prefix, name): video.size for video in data.videos for name in video.file_names}
    missing = dict.fromkeys(missing_frames(list(sizes)))
    findings = [Finding(MISSING, f"frame {path} is missing") for path in missing]
    present = [(path, size) for path, size in sizes.items() if path not in missing]
    check: Callable[[tuple[str, Size]], Finding | None] = _decoded if decode else _headed
    with ThreadPoolExecutor(_THREADS) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # a large size is told as such
        found = pool.map(check, present)
        bar = tqdm(found, total=len(present), desc="checking frames", unit="frame", leave=False, disable=None)
        return findings + [finding for finding in bar if finding is not None]


def _decoded(frame: tuple[str, Size]) -> Finding | None:
    """Look at a file as `_headed` does, and decode it if that finds nothing."""
    finding = _headed(frame)
    if finding is not None:
        return finding
    try:
        read_frame(*frame)
    except UserError as error:
        return Finding(UNREADABLE, str(error))
    return None


def _headed(frame: tuple[str, Size]) -> Finding | None:
    """Return what the header and the end of a file say against it."""
    path, size = frame
    try:
        length = os.path.getsize(path)
        if length == 0:
            return Finding(EMPTY, f"frame {path} is empty (0 bytes); copy it anew")
        if _is_cut_off(path, length):
            return Finding(CUT_OFF, f"frame {path} is cut off after {length} bytes; copy it anew")
        with Image.open(path) as image:
            width, height = image.size
            turned = _orientation(image) in _TURNED
    except _READ_ERRORS as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "damaged or no image"
        return Finding(UNREADABLE, f"frame {path} cannot be read: {reason}")
    shown = (width, height) if turned else (height, width)
    if shown == tuple(size):
        return None
    text = f"frame {path} is {shown[1]}x{shown[0]}, its annotation file says {size[1]}x{size[0]}"
    if turned:
        text += "; its EXIF orientation turns it when it is read: write it upright, or drop the orientation"
    return Finding(OTHER_SIZE, text)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation; asked of the header alone, where `getexif` decodes a whole PNG."""
    block = image.info.get("exif")
    if not isinstance(block, bytes):
        return 1
    exif = Image.Exif()
    exif.load(block)
    return int(exif.get(_ORIENTATION, 1))


def _is_cut_off(path: str, length: int) -> bool:
    """Say whether a file ends before its format's end; False for a format that does not tell."""
    with open(path, "rb") as file:
        head = file.read(16)
        file.seek(max(0, length - _TAIL))
        tail = file.read()
    if head.startswith(b"\xff\xd8"):  # JPEG
        return b"\xff\xd9" not in tail
    if head.startswith(b"\x89PNG"):
        return b"IEND" not in tail
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return length < int.from_bytes(head[4:8], "little") + 8
    if head.startswith(b"BM"):
        return length < int.from_bytes(head[2:6], "little")
    return False
