"""Where the figures, curves and pictures of a run go beside its own files: one small protocol, and who speaks it.

`config.runtime.loggers` names the sinks. Only TensorBoard is required by this package; the others are used if they are
installed.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from mmdet.errors import SHOWN_LENGTH, UserError
from mmdet.evaluation.ap.thresholds import ScoreCurve
from mmdet.fileio.atomic import set_aside, write_text_atomically
from mmdet.visualization.scene import Picture

RUN_IDS = "run_ids.json"  # of a work dir: the ids by which loggers know the run
TENSORBOARD = "tensorboard"  # its folder in a work dir, and its name as a logger
KEY = "config.runtime.loggers"

Say = Callable[[str], object]


class Sink(Protocol):
    """Takes what a run tells after a step. Names look like paths, e.g. `train/loss`."""

    def figures(self, step: int, figures: Mapping[str, float]) -> None:
        """Take figures by name."""

    def curve(self, step: int, name: str, curve: ScoreCurve) -> None:
        """Take precision and recall over the score."""

    def picture(self, step: int, name: str, picture: Picture) -> None:
        """Take a picture."""

    def close(self) -> None:
        """Send what is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRun:
    """What a sink is told of the run that it logs."""

    folder: Path  # the work dir
    first_step: int = 0  # finished steps of a resumed run
    settings: Mapping[str, Any] = field(default_factory=dict)  # the values of its config
    run_id: str | None = None  # by which the sink knows the run, None: it is new there


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A sink, and the id by which it knows the run; None if it needs none."""

    sink: Sink
    run_id: str | None = None


def check_loggers(names: Sequence[str]) -> None:
    """Raise UserError if a logger's package is not installed."""
    for name in names:
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:  # without an origin it is any folder of this name
            raise UserError(f"{KEY}: {name} is not installed here: pip install {name}, or leave it out")


def open_sinks(names: Sequence[str], run: LoggedRun, say: Say) -> list[Sink]:
    """Open the sinks of a run. A resumed run goes on under the ids that its work dir knows.

    Raises UserError if one cannot be opened. `say` gets a line if one fails later: the run goes on without it.
    """
    known = _known_ids(run)
    sinks: list[Sink] = []
    ids: dict[str, str] = {}
    try:
        for name in names:
            opened = _open(name, run, known.get(name))
            sinks.append(opened.sink if name == TENSORBOARD else _Guarded(name, opened.sink, say))
            if opened.run_id is not None:
                ids[name] = opened.run_id
        if ids:
            write_text_atomically(run.folder / RUN_IDS, json.dumps({**known, **ids}) + "\n")
    except BaseException:
        for sink in sinks:
            sink.close()
        raise
    return sinks


def _open(name: str, run: LoggedRun, run_id: str | None) -> Opened:
    about = replace(run, run_id=run_id)
    # imported only when they are used, as they take seconds
    if name == TENSORBOARD:
        from mmdet.engine.training.logs.tensorboard_sink import TensorBoardSink

        return Opened(sink=TensorBoardSink(about))
    from mmdet.engine.training.logs.tracking_services import OPENERS

    try:
        return OPENERS[name](about)
    except Exception as error:  # their errors are of many kinds: not logged in, no network, an unknown run
        raise UserError(f"{KEY}: {name} cannot log this run: {_reason(error)}") from error


def _known_ids(run: LoggedRun) -> dict[str, str]:
    """Return the ids of a resumed run. Those of an earlier run in the same folder are put aside."""
    path = run.folder / RUN_IDS
    if not path.is_file():
        return {}
    if run.first_step == 0:
        set_aside(path)
        return {}
    with suppress(OSError, ValueError, RecursionError):
        ids = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(ids, dict) and all(isinstance(value, str) for value in ids.values()):
            return ids
    set_aside(path)
    return {}


class _Guarded:
    """A sink of another package. When it fails, that is said once and it gets nothing more; training goes on."""

    def __init__(self, name: str, sink: Sink, say: Say) -> None:
        self._name, self._sink, self._say = name, sink, say
        self._failed = False

    def figures(self, step: int, figures: Mapping[str, float]) -> None:
        self._try(lambda: self._sink.figures(step, figures))

    def curve(self, step: int, name: str, curve: ScoreCurve) -> None:
        self._try(lambda: self._sink.curve(step, name, curve))

    def picture(self, step: int, name: str, picture: Picture) -> None:
        self._try(lambda: self._sink.picture(step, name, picture))

    def close(self) -> None:
        self._try(self._sink.close)

    def _try(self, call: Callable[[], None]) -> None:
        if self._failed:
            return
        try:
            call()
        except Exception as error:
            self._failed = True
            self._say(f"warning: {self._name} fails, the run goes on without it: {_reason(error)}")


def _reason(error: Exception) -> str:
    line = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {line[: 3 * SHOWN_LENGTH]}"
