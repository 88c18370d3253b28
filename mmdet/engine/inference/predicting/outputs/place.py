"""The files of one video: written in a hidden folder and moved to their places at the end, the json first of all.

If the json cannot be written, files that an older json would describe are not put beside it.
"""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from mmdet.engine.inference.predicting.outputs.sink import PredictedFrame, Sink, VideoStart
from mmdet.fileio.atomic import write_atomically
from mmdet.fileio.results.predictions import PredictedVideo

_PICTURE = re.compile(r"\d{5,}\.(?:jpg|png)")


class Place:
    """Where the outputs of one video go: `out`/NAME.json and what `sinks` write beside it."""

    def __init__(self, out: Path, name: str, sinks: Sequence[Sink]) -> None:
        self.out, self.name, self.sinks = out, name, list(sinks)
        self.json = out / f"{name}.json"
        self.written: list[Path] = []  # outputs that are in their places at the end
        self._hidden = out / f".{name}.{secrets.token_hex(6)}.tmp"

    def open(self, start: VideoStart) -> None:
        """Create the folder and open all outputs. Leaves nothing if one cannot be opened."""
        self._hidden.mkdir(parents=True)
        try:
            for sink in self.sinks:
                sink.open(self._hidden, start)
        except BaseException:
            self.discard()
            raise

    def add(self, frame: PredictedFrame) -> None:
        """Give a frame to all outputs."""
        for sink in self.sinks:
            sink.add(frame)

    def finish(self, video: PredictedVideo, write: Callable[[BinaryIO], object]) -> None:
        """Complete all outputs, let `write` fill the json, and move everything to its place.

        What can be completed is kept even if another output fails; the first error is raised then.
        """
        errors: list[Exception] = []
        for sink in self.sinks:
            try:
                sink.finish(video)
            except Exception as error:
                errors.append(error)
        had_json = self.json.exists()
        try:
            write_atomically(self.json, write)
            self.written.append(self.json)
        except Exception as error:
            errors.append(error)
        try:
            if self.written or not had_json:
                for sink in self.sinks:
                    self._move(sink.path)
        finally:
            self.discard()
        if errors:
            raise errors[0]

    def discard(self) -> None:
        """Remove what is not in its place yet."""
        shutil.rmtree(self._hidden, ignore_errors=True)

    def _move(self, path: Path) -> None:
        made, final = self._hidden / path, self.out / path
        if not made.exists():
            return
        if made.is_dir():
            _replace_pictures(made, final)
        else:
            final.parent.mkdir(parents=True, exist_ok=True)
            made.replace(final)
        self.written.append(final)


def _replace_pictures(made: Path, final: Path) -> None:
    """Move all files of `made` into `final`, after removing the numbered pictures of an earlier run from it."""
    if final.is_dir():
        for old in sorted(final.rglob("*"), reverse=True):  # files before their folders
            if _PICTURE.fullmatch(old.name):
                old.unlink()
            elif old.is_dir():
                with suppress(OSError):  # it holds other files
                    old.rmdir()
    final.mkdir(parents=True, exist_ok=True)
    for new in [path for path in made.rglob("*") if path.is_file()]:
        target = final / new.relative_to(made)
        target.parent.mkdir(parents=True, exist_ok=True)
        new.replace(target)
