"""Extract the frames of all sources of a command line, one after the other. All checks come before the work starts.

A source that fails does not end the others; a signal and a full disk do.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from signal import Signals

import cv2

from mmdet.engine.extracting.folder import ExtractedFolder, ExtractedVideo, frame_name
from mmdet.engine.extracting.options import ExtractOptions
from mmdet.engine.inference.chunks import fitted
from mmdet.engine.inference.predicting.names import identity_of
from mmdet.engine.inference.predicting.progress import Progress
from mmdet.engine.inference.predicting.resume import state_of
from mmdet.engine.process.endings import SIGNAL_CODE_BASE, RunEnded
from mmdet.engine.process.signals import StopSignals
from mmdet.engine.process.terminal import tell
from mmdet.errors import UserError, short_list
from mmdet.fileio.annotations.category_list import read_category_list
from mmdet.fileio.overwriting import refuse_overwriting
from mmdet.fileio.pictures.video import TimedFrame
from mmdet.fileio.sources.finding import find_sources
from mmdet.fileio.sources.frame_source import FrameSource
from mmdet.fileio.sources.selection import select
from mmdet.fileio.sources.source import Source


def extract(options: ExtractOptions) -> ExtractedFolder:
    """Write the frames and the annotation file; return the folder.

    Raises UserError before the work starts, and RunEnded if a signal ended it or sources failed; complete videos stay.
    """
    sources = find_sources(options.sources)
    categories = read_category_list(options.categories) if options.categories else None
    folder = ExtractedFolder(options.out, options.described())
    identities = [identity_of(source) for source in sources]
    names = folder.choose_names(sources, identities)
    refuse_overwriting([folder.annotations], [options.categories])
    failed = []
    with StopSignals() as stop:
        for number, (source, identity, name) in enumerate(zip(sources, identities, names, strict=True), start=1):
            title = name if len(sources) == 1 else f"{number}/{len(sources)} {name}"
            try:
                _Extraction(options, folder, source, identity, name, title, stop).run()
            except UserError as error:
                if len(sources) == 1:
                    raise
                tell(f"{title}: {error}")
                failed.append(source.text)
            if stop.received:
                break
    if folder.videos:
        folder.write_annotations(categories)
    if stop.received:
        kept = f"{len(folder.videos)} complete in {folder.path}; the same command goes on"
        raise RunEnded(f"stopped by {Signals(stop.received).name}, {kept}", SIGNAL_CODE_BASE + stop.received)
    if failed:
        raise RunEnded(f"{len(failed)} of {len(sources)} sources failed: {short_list(failed)}; see above")
    return folder


class _Extraction:
    """The extraction of one source. `title` names it in progress and messages."""

    def __init__(
        self,
        options: ExtractOptions,
        folder: ExtractedFolder,
        source: Source,
        identity: str,
        name: str,
        title: str,
        stop: StopSignals,
    ) -> None:
        self._options, self._folder, self._stop = options, folder, stop
        self._source, self._identity, self._name, self._title = source, identity, name, title

    def run(self) -> None:
        """Extract, unless an earlier run has done so. After a signal only the frames of a live source are kept."""
        state = state_of(self._source)
        if self._folder.find(self._identity, state):
            tell(f"{self._title}: extracted already, skipped")
            return
        one_size = not self._options.resize_to_first
        frames = select(self._source.open(one_size, self._stopped, tell), self._options.selection)
        for note in frames.notes:
            tell(note)
        unfinished = self._folder.start(self._name)
        try:
            video = self._write(frames, unfinished, state)
            if video is not None:
                with self._stop.finishing():
                    self._folder.add(video, unfinished)
        finally:
            self._folder.discard(unfinished)
        if frames.loss:
            tell(f"warning: {frames.loss}")

    def _write(self, frames: FrameSource, place: Path, state: str | None) -> ExtractedVideo | None:
        """Write the frames; return the video, None if a signal leaves nothing that is worth keeping."""
        reading = iter(frames)
        first = next(reading, None)
        if first is None and not self._stopped():
            raise UserError(f"{self._source.text} has no frame")
        if first is None:
            return None
        size = (first.image.shape[0], first.image.shape[1])
        progress, count = Progress(self._title, lambda: frames.promised), 0
        try:
            for frame in self._until_stopped(fitted(chain([first], reading), size, self._options.resize_to_first)):
                _save(frame, place / frame_name(count, self._options.format), self._options.encoding)
                count += 1
                progress.add(1)
        finally:
            progress.close()
        if not count or (self._stopped() and self._source.path is not None):
            return None
        tell(f"{self._title}: {count} frames of {size[1]}x{size[0]} at {progress.rate:.1f}/s")
        return ExtractedVideo(
            name=self._name,
            source=self._identity,
            source_state=state,
            height=size[0],
            width=size[1],
            length=count,
            fps=round(float(frames.rate), 6),
        )

    def _until_stopped(self, frames: Iterator[TimedFrame]) -> Iterator[TimedFrame]:
        for frame in frames:
            yield frame
            if self._stopped():
                return

    def _stopped(self) -> bool:
        return bool(self._stop.received)


def _save(frame: TimedFrame, path: Path, encoding: list[int]) -> None:
    """Write a picture. Raises OSError if the disk is full."""
    _, data = cv2.imencode(path.suffix, frame.image[..., ::-1], encoding)
    path.write_bytes(data.tobytes())
