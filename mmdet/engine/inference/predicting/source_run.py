"""Predict on one source: read, track, draw and write, until its end, an error or a stop signal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from signal import SIGINT, Signals

from mmdet.engine.inference.chunks import fitted, track_chunks
from mmdet.engine.inference.predicting.model import PredictModel
from mmdet.engine.inference.predicting.names import name_of_file, name_of_part, record_path
from mmdet.engine.inference.predicting.options import PredictOptions
from mmdet.engine.inference.predicting.part import Part, SourceEnd
from mmdet.engine.inference.predicting.progress import Progress
from mmdet.engine.inference.predicting.resume import info_of, is_finished, now
from mmdet.engine.inference.predicting.window import Window
from mmdet.engine.process.endings import SIGNAL_CODE_BASE, RunEnded
from mmdet.engine.process.faults import known_fault
from mmdet.engine.process.signals import StopSignals
from mmdet.errors import UserError
from mmdet.fileio.pictures.video import TimedFrame
from mmdet.fileio.sources.frame_source import FrameSource
from mmdet.fileio.sources.selection import SelectedFrames, Selection, select
from mmdet.fileio.sources.senders.live import LiveFrames
from mmdet.fileio.sources.source import Source
from mmdet.structures import Size, VideoResult


@dataclass(slots=True, kw_only=True)
class Job:
    """What all sources of a run share."""

    options: PredictOptions
    model: PredictModel
    selection: Selection
    stop: StopSignals
    say: Callable[[str], None]  # a line about what goes on
    window: Window | None = None
    taken: set[str] = field(default_factory=set)  # names of this run


class SourceRun:
    """The prediction on one source. `title` names it in progress and messages."""

    def __init__(self, job: Job, source: Source, title: str) -> None:
        self._job, self._source, self._title = job, source, title
        self._info = info_of(source, job.model.about, job.options.described())
        self._name = source.name
        self._is_live = False
        self._part: Part | None = None  # the one being written, or the last one
        self._count = self._num_tracks = 0  # frames, and tracks that are kept, of the parts that are written
        self._at_end = False
        self._num_dropped = 0  # frames, of the parts that are written

    def run(self, opened: FrameSource | None = None) -> str:
        """Predict and write; return the line that says what was written. `opened`: the source if it is open already.

        Raises UserError before the work starts, and RunEnded if it ended early; the frames so far are then written.
        """
        job, options = self._job, self._job.options
        if self._source.path is not None:
            self._choose_name()
            if options.resume and is_finished(options.out, self._name, self._info):
                return f"{self._title}: finished already, skipped ({record_path(options.out, self._name)})"
        opened = opened or self._source.open(not options.resize_to_first, lambda: bool(job.stop.received), job.say)
        self._is_live = isinstance(opened, LiveFrames)
        if self._source.path is None and not self._is_live:
            self._choose_name()
        frames = select(opened, job.selection)
        for note in frames.notes:
            job.say(note)
        reading = iter(frames)
        first = next(reading, None)
        if first is None:
            raise self._stopped() if job.stop.received else UserError(f"{self._source.text} has no frame")
        size = (first.image.shape[0], first.image.shape[1])
        progress = Progress(self._title, lambda: frames.promised)
        fitting = fitted(chain([first], reading), size, options.resize_to_first)
        try:
            self._track(fitting, opened, frames, progress, size)
        except (UserError, OSError) as error:
            fault = known_fault(error)
            if not self._count and fault is None:
                raise
            raise RunEnded(f"{fault or error}; {self._kept()}") from error
        except KeyboardInterrupt:  # the second Ctrl-C
            raise self._stopped(f" at once; {self._kept()}") from None
        finally:
            progress.close()
        return self._ended(frames, progress)

    def _track(
        self, reading: Iterator[TimedFrame], opened: FrameSource, frames: FrameSource, progress: Progress, size: Size
    ) -> None:
        """Track until the end or a stop signal. Whatever ends it, the files are written if there is a frame."""
        job = self._job
        stream = job.model.predictor.stream(size)
        part = self._next_part(frames, size)
        try:
            for chunk in track_chunks(reading, stream, 1 if self._is_live else job.options.batch):
                for frame, tracks in chunk:
                    part.add(frame, tracks)
                progress.add(len(chunk))
                if not part.wants_more:
                    job.stop.received = job.stop.received or SIGINT
                if job.stop.received:
                    return
                if self._is_live and part.length_s >= job.options.segment_s:
                    self._write(part, opened, frames, stream.cut(), complete=True)
                    part = self._next_part(frames, size)
            # a signal ends the frames of a camera or an address early
            self._at_end = self._source.path is not None or not job.stop.received
        finally:
            complete = self._at_end and (self._is_live or not frames.loss)
            self._write(part, opened, frames, stream.cut(), complete)

    def _next_part(self, frames: FrameSource, size: Size) -> Part:
        options = self._job.options
        name = name_of_part(options.out, self._name) if self._is_live else self._name
        info = {**self._info, "date": now()}
        return Part(options, self._job.model, self._source, name, size, frames.rate, info, self._job.window)

    def _write(self, part: Part, opened: FrameSource, frames: FrameSource, result: VideoResult, complete: bool) -> None:
        """Write a part to its end, or remove it if it has no frame."""
        if not part.times_s:
            part.discard()
            return
        self._part, self._count = part, self._count + len(part.times_s)
        dropped = opened.num_dropped if isinstance(opened, LiveFrames) else 0
        end = SourceEnd(
            promised=frames.promised,
            complete=complete,
            dropped=dropped - self._num_dropped,
            start_s=frames.start_s if isinstance(frames, SelectedFrames) else 0.0,
        )
        with self._job.stop.finishing():
            part.finish(result, end)
        self._num_dropped = dropped
        self._num_tracks += part.num_tracks
        if self._is_live:
            self._job.say(f"{self._title}: {counted(len(part.times_s), 'frame')}: {self._written()}")

    def _ended(self, frames: FrameSource, progress: Progress) -> str:
        """Return the last line about the source. Raises RunEnded if a signal has stopped it."""
        if frames.loss and (self._at_end or self._is_live):
            self._job.say(f"warning: {frames.loss}")
        if not self._at_end:
            raise self._stopped(f"; {self._kept()}")
        found = f"{counted(self._count, 'frame')} at {progress.rate:.1f}/s, {counted(self._num_tracks, 'track')}"
        return f"{self._title}: {found}: {self._written()}"

    def _stopped(self, kept: str = "") -> RunEnded:
        number = self._job.stop.received
        return RunEnded(f"stopped by {Signals(number).name}{kept}", SIGNAL_CODE_BASE + number)

    def _choose_name(self) -> None:
        options = self._job.options
        self._name = name_of_file(options.out, self._source, self._job.taken, options.save)
        self._job.taken.add(self._name)

    def _kept(self) -> str:
        """Return what is kept of the frames so far."""
        if not (written := self._written()):
            return f"nothing of its {self._count} frames could be written"
        if self._part is not None and len(self._part.times_s) < self._count:
            return f"{written} hold the last {len(self._part.times_s)} of {self._count} frames, earlier files the rest"
        return f"{written} hold{'' if ' and ' in written else 's'} the first {self._count} frames"

    def _written(self) -> str:
        """Return what is written: `DIR/NAME.mp4, NAME.json and NAME/`; of a live source its last part alone."""
        out = self._job.options.out
        written = self._part.place.written if self._part else []
        tops = {path.relative_to(out).parts[0] + "/" * (path.parent != out) for path in written}
        names = sorted(tops, key=lambda top: (top.endswith("/"), top.endswith(".json")))
        listed = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
        return f"{out}/{listed}" if listed else ""


def counted(number: int, noun: str) -> str:
    """Return `1 frame`, `2 frames`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
