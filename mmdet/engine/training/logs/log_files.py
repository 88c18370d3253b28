"""The open files of a run's log: text, JSON lines, a bar on the terminal, and the sinks.

JSON lines and sinks look like those of a run without interruptions: entries after a resumed run's checkpoint are
dropped.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from mmdet.engine.process.terminal import tell
from mmdet.engine.training.logs.sinks import LoggedRun, open_sinks
from mmdet.fileio.atomic import set_aside, write_text_atomically

# One line of 80 columns; tqdm fills in the bar.
BAR = "{desc} {n_fmt}/{total_fmt} |{bar}| ETA {remaining}, {rate_inv_fmt}{postfix}"


class LogFiles:
    """The open files of a log, and the bar. Entries after the first step of a resumed run are dropped."""

    def __init__(self, run: LoggedRun, total_steps: int, loggers: Sequence[str]) -> None:
        folder = run.folder
        self.written, self.note = _keep_until(folder / "train.jsonl", run.first_step)
        self.text: TextIO = open(folder / "train.log", "a", buffering=1, encoding="utf-8")  # noqa: SIM115  # see `close`
        self.json: TextIO = open(folder / "train.jsonl", "a", buffering=1, encoding="utf-8")  # noqa: SIM115
        self.bar = tqdm(
            total=total_steps,
            initial=run.first_step,
            disable=not sys.stderr.isatty(),
            unit="step",
            dynamic_ncols=True,
            smoothing=0.05,
            bar_format=BAR,
        )
        self.sinks = open_sinks(loggers, run, self.say)

    def say(self, line: str) -> None:
        """Write a line to stderr and the text log."""
        tell(line)
        self.write_line(line)

    def write_line(self, line: str) -> None:
        """Write a line to the text log."""
        self.text.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")

    def record(self, entry: Mapping[str, str | float], step: int, figures: Mapping[str, float]) -> None:
        """Write an entry to the JSON lines, then figures to the sinks.

        What is in the JSON lines is not done again by a resumed run, so that no sink gets it twice.
        """
        self.json.write(json.dumps(entry) + "\n")
        for sink in self.sinks:
            sink.figures(step, figures)

    def close(self) -> None:
        """Close all files."""
        self.bar.close()
        for sink in self.sinks:
            sink.close()
        self.text.close()
        self.json.close()


def _keep_until(path: Path, step: int) -> tuple[set[tuple[int, str]], str | None]:
    """Drop the entries after a step, and a line that was cut off.

    Return (step, kind) of the remaining entries, and a note. If the run is new, or no run wrote the file, the file is
    renamed instead: `train.1.jsonl` and so on.
    """
    if not path.is_file():
        return set(), None
    if step == 0:
        set_aside(path)
        return set(), None
    lines = path.read_bytes().decode(errors="replace").splitlines()
    entries = [_entry(line) for line in lines]
    kept = {line: entry for line, entry in zip(lines, entries, strict=True) if entry and entry[0] <= step}
    note = None
    if None in entries[:-1]:
        note = f"{path} has lines that no run wrote; the file as it was is {set_aside(path).name}"
    write_text_atomically(path, "".join(f"{line}\n" for line in kept))
    return set(kept.values()), note


def _entry(line: str) -> tuple[int, str] | None:
    """Return step and kind of a line, None if it is not a complete line of a run."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or type(entry.get("step")) is not int or not isinstance(entry.get("kind"), str):
        return None
    return entry["step"], entry["kind"]
