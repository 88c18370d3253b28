"""The finished videos of a test, in a file beside its output, so that an interrupted test can go on.

One line per video, each with a checksum: a line that was cut off costs only its own video. Several processes append to
the file. It says what it was made from, and it is checked like foreign input when it is read.
"""

from __future__ import annotations

import json
import os
import secrets
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mmdet.errors import UserError
from mmdet.fileio.atomic import set_aside, write_text_atomically
from mmdet.fileio.locks import lock_file
from mmdet.fileio.results.result_file import check_results
from mmdet.structures import PerFrame

FORMAT = "finished videos of a test by memcnp-vis, version 1"
Entries = list[dict[str, Any]]  # of one video, as VideoResult.entries yields them


class KeptVideos:
    """The entries of finished videos by their index in the data set, in the file `path`.

    `about` says what they are made from: plain values under names that a user understands.
    """

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self.path, self.about = path, dict(about)
        self.run = ""  # identifies the run of the lines: another run may have replaced the file meanwhile

    def start(self) -> None:
        """Start a new file. Raises UserError if that would replace a file that no test wrote."""
        if self.path.exists() and not self._is_own():
            raise UserError(f"{self.path} is not of an interrupted test and would be overwritten: remove it")
        self.run = secrets.token_hex(8)
        write_text_atomically(self.path, _line({"format": FORMAT, "run": self.run, "about": self.about}))

    def put_aside(self) -> Path | None:
        """Rename the file of an interrupted test unless it has no videos. Return the new name."""
        if not self.path.exists() or not self._is_own() or len(list(filter(None, self._lines()))) < 2:
            return None
        return set_aside(self.path)

    def add(self, index: int, entries: Entries) -> None:
        """Append a finished video and flush it to the disk."""
        line = _line({"run": self.run, "index": index, "entries": entries})
        data = b"\n" + line.encode()  # starts a new line even after one that was cut off
        try:
            with open(self.path, "r+b", buffering=0) as file:  # never created here: it would lack its first line
                lock_file(file.fileno())  # the test's other processes append as well
                file.seek(0, os.SEEK_END)
                while data:
                    data = data[file.write(data) :]
                os.fsync(file.fileno())
        except FileNotFoundError as error:
            raise UserError(f"{self.path} was removed while the test wrote to it") from error
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error

    def read(self, lengths: list[int], say: Callable[[str], object]) -> dict[int, Entries]:
        """Return the videos that are kept, by index; `lengths` are the numbers of frames of all videos.

        Raises UserError if the file was made from something else or was not written by a test.
        """
        lines = self._lines()
        header = _parse(lines[0]) if lines else None
        if header is None or header.get("format") != FORMAT or not isinstance(header.get("about"), dict):
            raise UserError(f"--resume: {self.path} is not of an interrupted test: remove it")
        before = header["about"]
        changed = [name for name in {**before, **self.about} if before.get(name) != self.about.get(name)]
        if changed:
            raise UserError(
                f"--resume: {self.path} was made with another {', another '.join(changed)}; go on with the same, or "
                "leave --resume out to start anew"
            )
        self.run = str(header.get("run"))
        kept, damaged = {}, 0
        for line in filter(None, lines[1:]):
            record = _parse(line)
            try:
                if record is None or record.get("run") != self.run:
                    raise ValueError("not of a video of this test")
                kept[record["index"]] = _entries_of(record, lengths, self.path)
            except (UserError, ValueError, TypeError, LookupError, AttributeError):
                damaged += 1
        if damaged:
            say(f"{self.path}: {damaged} damaged lines, their videos are predicted again")
        return kept

    def count(self) -> int:
        """Return how many videos are kept."""
        if not self.path.exists():
            return 0
        records = [_parse(line) for line in filter(None, self._lines()[1:])]
        return len({record.get("index") for record in records if record is not None and record.get("run") == self.run})

    def remove(self) -> None:
        """Remove the file: the test is complete."""
        self.path.unlink(missing_ok=True)

    def _is_own(self) -> bool:
        lines = self._lines()
        header = _parse(lines[0]) if lines else None
        return header is not None and header.get("format") == FORMAT

    def _lines(self) -> list[bytes]:
        try:
            return self.path.read_bytes().split(b"\n")
        except OSError as error:
            raise UserError(f"{self.path} cannot be read: {error.strerror}") from error


def _line(record: dict[str, Any]) -> str:
    text = json.dumps(record, separators=(",", ":"), default=_spared)
    return f"{zlib.crc32(text.encode()):08x} {text}\n"


def _parse(line: bytes) -> dict[str, Any] | None:
    """Return the content of a line, None if it was cut off or changed."""
    checksum, _, text = line.partition(b" ")
    try:
        if int(checksum, 16) != zlib.crc32(text):
            return None
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _spared(value: Any) -> Any:
    """Return what json writes for a PerFrame: only the frames that have a value."""
    if isinstance(value, PerFrame):
        return {"length": value.length, "frames": value.frames, "values": value.values}
    raise TypeError(f"results hold plain data only, got {type(value).__name__}")


def _entries_of(record: dict[str, Any], lengths: list[int], path: Path) -> Entries:
    """Return a video's entries as they were added. Raises various errors for content that `add` has not written."""
    index = record["index"]
    if type(index) is not int or not 0 <= index < len(lengths):
        raise ValueError(f"there is no video {index}")
    entries = [
        {key: _per_frame(value) if isinstance(value, dict) else value for key, value in entry.items()}
        for entry in record["entries"]
    ]
    check_results(entries, str(path))
    if any(len(entry["segmentations"]) != lengths[index] for entry in entries):
        raise ValueError("of a video of another length")
    return entries


def _per_frame(value: dict[str, Any]) -> PerFrame[Any]:
    length, frames, values = value["length"], tuple(value["frames"]), tuple(value["values"])
    ascending = all(type(frame) is int for frame in frames) and list(frames) == sorted(set(frames))
    if type(length) is not int or not ascending or len(frames) != len(values):
        raise ValueError("no values by frame")
    if frames and not 0 <= frames[0] <= frames[-1] < length:
        raise ValueError("values of frames that the video does not have")
    return PerFrame(length, frames, values)
