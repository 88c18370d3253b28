"""Predict on all sources of a command line, one after the other. All checks come before the work starts.

A source that fails does not end the others; a signal, a full disk and a full GPU do.
"""

from __future__ import annotations

import sys
from signal import Signals

from mmdet.engine.inference.predicting.model import load_model
from mmdet.engine.inference.predicting.names import check_folder
from mmdet.engine.inference.predicting.options import PredictOptions
from mmdet.engine.inference.predicting.source_run import Job, SourceRun
from mmdet.engine.inference.predicting.window import open_window
from mmdet.engine.process.devices import chosen_device, limit_threads
from mmdet.engine.process.endings import SIGNAL_CODE_BASE, RunEnded
from mmdet.engine.process.faults import known_fault
from mmdet.engine.process.signals import StopSignals
from mmdet.engine.process.terminal import tell
from mmdet.errors import UserError, short_list
from mmdet.fileio.sources.finding import find_sources
from mmdet.fileio.sources.selection import Selection
from mmdet.fileio.sources.source import Source

LONGEST_PATH = 200  # characters, in the line about sources that failed


def predict(options: PredictOptions) -> None:
    """Predict, draw and write; print a line per finished source.

    Raises UserError before the work starts, and RunEnded if a signal ended it or sources failed; what is done is kept.
    """
    check_folder(options.out)
    selection = Selection(start=options.start, end=options.end, stride=options.stride, max_frames=options.max_frames)
    device = chosen_device(options.device)
    limit_threads(device)
    sources = find_sources(options.sources)
    # a single file is looked at before the model is loaded
    is_file = len(sources) == 1 and sources[0].path is not None
    opened = sources[0].open(one_size=not options.resize_to_first) if is_file else None
    model = load_model(options, device, tell)
    window = open_window() if options.show else None
    if isinstance(window, str):
        tell(window)
        window = None
    with StopSignals() as stop:
        job = Job(options=options, model=model, selection=selection, stop=stop, say=tell, window=window)
        try:
            if len(sources) == 1:
                _say(SourceRun(job, sources[0], sources[0].name).run(opened))
            else:
                _predict_all(job, sources)
        finally:
            if window is not None:
                window.close()


def _predict_all(job: Job, sources: list[Source]) -> None:
    """Predict on several sources. Raises RunEnded that names those that failed."""
    failed = []
    for number, source in enumerate(sources, start=1):
        title = f"{number}/{len(sources)} {source.name}"
        try:
            _say(SourceRun(job, source, title).run())
        except (UserError, RunEnded) as error:
            if _ends_all(error):
                raise
            tell(f"{title}: {error}")
            failed.append(source.text)
        if job.stop.received and number < len(sources):
            name = Signals(job.stop.received).name
            raise RunEnded(f"stopped by {name} before source {number + 1}", SIGNAL_CODE_BASE + job.stop.received)
    if failed:
        raise RunEnded(f"{len(failed)} of {len(sources)} sources failed: {short_list(failed, LONGEST_PATH)}; see above")


def _ends_all(error: UserError | RunEnded) -> bool:
    """Return whether the next source would fail as well: after a signal, or for lack of room."""
    stopped = isinstance(error, RunEnded) and error.exit_code > SIGNAL_CODE_BASE
    return stopped or (error.__cause__ is not None and known_fault(error.__cause__) is not None)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
