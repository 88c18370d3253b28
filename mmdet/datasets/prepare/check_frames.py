"""Check that every frame of a set exists, is a complete image, and has the size that the annotation file states.

Reads the header and the end of each file, which finds files that were cut off while copying. Damage inside of a file is
found only by decoding it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from mmdet.datasets.prepare.findings import Finding, Kind
from mmdet.errors import UserError
from mmdet.fileio.annotations.vis_json import VISJson
from mmdet.fileio.pictures.frame_files import frame_path, missing_frames
from mmdet.fileio.pictures.image_decoding import read_image
from mmdet.fileio.pictures.images import header_of, size_fault
from mmdet.structures import Size

# All of these end training; testing loses the frames.
MISSING = Kind("missing frames", is_error=True)
EMPTY = Kind("frames that are empty files", is_error=True)
CUT_OFF = Kind("frames that are cut off", is_error=True)
UNREADABLE = Kind("frames that cannot be read", is_error=True)
OTHER_SIZE = Kind("frames of another size", is_error=True)
# The size shows whether masks were drawn on the turned picture, except for half turns, mirrored and square pictures.
TURNED = Kind("frames that EXIF turns", is_error=False)

_THREADS = 8  # threads wait for the disk, and decoders release Python's lock
_TAIL = 2**16  # bytes that are searched for the end of the format: editors append their own notes


def check_frames(data: VISJson, img_prefix: Path, decode: bool = False) -> list[Finding]:
    """Check all frames of a set below `img_prefix`, with a progress bar. `decode` decodes them completely."""
    sizes = {frame_path(img_prefix, name): video.size for video in data.videos for name in video.file_names}
    missing = dict.fromkeys(missing_frames(list(sizes)))
    findings = [Finding(MISSING, f"frame {path} is missing") for path in missing]
    present = [(path, size) for path, size in sizes.items() if path not in missing]
    check: Callable[[tuple[str, Size]], Finding | None] = _decoded if decode else _headed
    with ThreadPoolExecutor(_THREADS) as pool:
        found = pool.map(check, present)
        bar = tqdm(found, total=len(present), desc="checking frames", unit="frame", leave=False, disable=None)
        return findings + [finding for finding in bar if finding is not None]


def _decoded(frame: tuple[str, Size]) -> Finding | None:
    """Check a file as `_headed` does; if that finds no fault, decode it."""
    finding = _headed(frame)
    if finding is not None and finding.kind.is_error:
        return finding
    try:
        read_image(*frame)
    except UserError as error:
        return Finding(UNREADABLE, str(error))
    return finding


def _headed(frame: tuple[str, Size]) -> Finding | None:
    """Return the fault that the header or the end of a file shows, None if there is none."""
    path, size = frame
    try:
        length = os.path.getsize(path)
        if length == 0:
            return Finding(EMPTY, f"frame {path} is empty (0 bytes); copy it anew")
        if _is_cut_off(path, length):
            return Finding(CUT_OFF, f"frame {path} is cut off after {length} bytes; copy it anew")
        header = header_of(Path(path))
    except OSError as error:
        return Finding(UNREADABLE, f"frame {path} cannot be read: {error.strerror}")
    except UserError as error:
        return Finding(UNREADABLE, str(error))
    if (fault := size_fault(header, size, path)) is not None:
        return Finding(OTHER_SIZE, fault)
    if header.orientation != 1 and header.stored == header.upright:
        turned = f"frame {path} is turned as its EXIF orientation ({header.orientation}) says: are its masks, too?"
        return Finding(TURNED, turned)
    return None


def _is_cut_off(path: str, length: int) -> bool:
    """Return whether a file ends before its format's end marker; False for formats without one."""
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
