"""The files that tracking a video writes, NAME.mp4 and NAME.json, and a name for them that replaces no other file."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import IO, Any

from mmdet.errors import UserError
from mmdet.fileio.atomic import write_atomically
from mmdet.fileio.overwriting import check_output_folder, refuse_overwriting
from mmdet.fileio.results.result_file import write_json
from mmdet.fileio.sources.frame_source import VIDEO_ENDINGS
from mmdet.structures import Size, VideoResult

_START = '{"source": '  # the beginning of every json written here
_HEAD = 8192  # characters, enough to contain the source's name


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedVideo:
    """What the json says about the video besides its tracks."""

    source: Path
    size: Size
    rate: float  # frames per second
    times_s: Sequence[float]  # one per frame
    promised: int | None  # frames that the source announced
    complete: bool  # whether the source was read to its end without a loss


class TrackedFiles:
    """NAME.mp4, written under a temporary name, and NAME.json; both get their final names at the end."""

    def __init__(self, folder: Path, name: str) -> None:
        self.mp4, self.json = folder / f"{name}.mp4", folder / f"{name}.json"
        self.unfinished = folder / f".{name}.mp4.{secrets.token_hex(6)}.tmp"
        self.written: list[str] = []  # the files that exist at the end

    def finish(self, video: TrackedVideo, result: VideoResult, class_names: Sequence[str]) -> None:
        """Write the json and give the mp4 its final name, each even if the other fails.

        The mp4 is not kept if the json beside it would be of an earlier run.
        """
        try:
            write_atomically(self.json, lambda file: _write(file, video, result, class_names))
            self.written = [self.json.name]
        finally:
            if self.unfinished.exists() and (self.written or not self.json.exists()):
                self.unfinished.replace(self.mp4)
                self.written.insert(0, self.mp4.name)

    def discard(self) -> None:
        """Remove the unfinished mp4."""
        with suppress(OSError):
            self.unfinished.unlink()


def check_folder(out: Path) -> None:
    """Raise UserError unless `out` is a folder or can be created as one."""
    if not out.is_dir() and out.suffix.lower() in (*VIDEO_ENDINGS, ".json"):
        raise UserError(f"--out {out} is named like a file: give the folder for NAME.mp4 and NAME.json")
    check_output_folder(out, "--out")


def choose_files(out: Path, source: Path) -> TrackedFiles:
    """Choose names in the folder `out` after the source: those of an earlier run on the same source, or free ones.

    Raises UserError if the plain name is that of the source itself.
    """
    names = _names(source.resolve())
    first = TrackedFiles(out, next(_names(source.resolve())))
    refuse_overwriting([first.mp4, first.json], [source])
    return next(files for name in names if _is_free(files := TrackedFiles(out, name), source))


def _names(source: Path) -> Iterator[str]:
    yield source.name if source.is_dir() else source.stem
    yield source.name
    name = f"{source.parent.name}_{source.name}".lstrip("_")
    yield name
    yield from (f"{name}-{number}" for number in count(2))


def _is_free(files: TrackedFiles, source: Path) -> bool:
    """Return whether neither file exists or both are of this source."""
    if not (os.path.lexists(files.mp4) or os.path.lexists(files.json)):
        return True
    try:
        with files.json.open(encoding="utf-8") as file:
            head = file.read(_HEAD)
        if not head.startswith(_START):
            return False
        named, _ = json.JSONDecoder().raw_decode(head, len(_START))
    except (OSError, ValueError):
        return False
    return bool(named == str(source.resolve()))


def _write(file: IO[bytes], video: TrackedVideo, result: VideoResult, class_names: Sequence[str]) -> None:
    about: dict[str, Any] = {
        "height": video.size[0],
        "width": video.size[1],
        "fps": video.rate,
        "frames": len(video.times_s),
        "frames_promised": video.promised,
        "complete": video.complete,
        "times": [round(time, 6) for time in video.times_s],
    }
    categories = [{"id": label, "name": name} for label, name in enumerate(class_names)]
    head = json.dumps({"source": str(video.source.resolve()), "video": about, "categories": categories})
    file.write(f'{head.removesuffix("}")}, "tracks": '.encode())
    write_json(result.entries(range(len(class_names)), with_boxes=True), file)
    file.write(b"}")
