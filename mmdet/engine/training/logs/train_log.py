"""The log of a run: a bar or lines on stderr, a text log and JSON lines in the work dir, and sinks.

The text log has all events. JSON lines and sinks look like those of a run without interruptions: a resumed run restores
its running means. Only the main process writes.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tqdm import tqdm

from mmdet.engine.process.endings import end_by
from mmdet.engine.process.terminal import tell
from mmdet.engine.training.logs.log_files import LogFiles
from mmdet.engine.training.logs.sinks import LoggedRun
from mmdet.engine.training.validation import Validation
from mmdet.errors import shown
from mmdet.evaluation.ap.tables import per_cent

# Until the first `log_every` steps are done, which may take long on a CPU, lines appear at fixed times.
EARLY_LINE_EVERY_S = 30.0
VALIDATION = "validation"
TOTAL = "loss"  # the sum of all losses, which training minimises


@dataclass(frozen=True, slots=True, kw_only=True)
class LogState:
    """The running means of a log, which a resumed run needs to go on."""

    sums: Mapping[str, float] = field(default_factory=dict)  # sum of each figure since it was last written
    counts: Mapping[str, int] = field(default_factory=dict)
    skipped: int = 0  # steps

    def to_plain(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return {"sums": dict(self.sums), "counts": dict(self.counts), "skipped": self.skipped}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> LogState:
        """Read plain values of a checkpoint. Raises TypeError for other values."""
        sums, counts, skipped = plain.get("sums", {}), plain.get("counts", {}), plain.get("skipped", 0)
        sound = all(isinstance(part, Mapping) for part in (sums, counts)) and sums.keys() == counts.keys()
        numbers = [*sums.values(), *counts.values(), skipped] if sound else []
        if not sound or not all(isinstance(number, int | float) for number in numbers):
            raise TypeError(f"sums of the log {shown(plain)}")
        return cls(sums=sums, counts=counts, skipped=skipped)


class TrainLog:
    """Averages figures over `log_every` steps and writes them. Without a `folder` it writes nothing.

    On a terminal a progress bar shows only the total loss; elsewhere lines show every figure, as in the text log. It
    writes only while it is open.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        total_steps: int,
        steps_per_epoch: int,
        log_every: int,
        loggers: Sequence[str] = ("tensorboard",),
        settings: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self._folder, self._log_every, self._steps_per_epoch = folder, log_every, steps_per_epoch
        self._total_steps, self._loggers, self._settings = total_steps, tuple(loggers), settings
        self._files: LogFiles | None = None  # while it is open
        self._sums: dict[str, float] = defaultdict(float)
        self._counts: dict[str, int] = defaultdict(int)
        self._skipped = 0
        self._steps, self._images, self._since = 0, 0, time.perf_counter()
        self._early_line_due: float | None = self._since + EARLY_LINE_EVERY_S

    def take_up(self, state: LogState) -> None:
        """Restore the running means of a resumed run."""
        self._sums, self._counts = defaultdict(float, state.sums), defaultdict(int, state.counts)
        self._skipped = state.skipped

    @contextmanager
    def opened(self, first_step: int = 0) -> Iterator[TrainLog]:
        """Open the files of a run after `first_step` steps. An error that ends the run is written before they close."""
        if self._folder is None:
            yield self
            return
        run = LoggedRun(folder=self._folder, first_step=first_step, settings=self._settings)
        self._files = LogFiles(run, self._total_steps, self._loggers)
        self._since = time.perf_counter()
        self._early_line_due = self._since + EARLY_LINE_EVERY_S
        try:
            if self._files.note:
                self.say(self._files.note)
            yield self
        except BaseException as error:
            with suppress(OSError):  # a full disk, for example, may be the reason for the end
                end = end_by(error)
                self._files.write_line(f"ended: {end.message if end else f'{type(error).__name__}: {error}'}")
            raise
        finally:
            self._files.close()
            self._files = None

    def say(self, line: str) -> None:
        """Write a line to stderr and the text log."""
        if self._files is not None:
            self._files.say(line)

    def step(self, step: int, figures: Mapping[str, float], images: int, skipped: bool = False) -> None:
        """Count step number `step` (1 for the first) with its figures and the images of all processes.

        `skipped`: the step was not made because its gradient was not finite.
        """
        if self._files is None:
            return
        self._skipped += skipped
        for name, value in _with_total(figures).items():
            self._sums[name] += value
            self._counts[name] += 1
        self._steps += 1
        self._images += images
        self._show_bar(self._files.bar, step)
        now = time.perf_counter()
        if step % self._log_every == 0 or step == self._total_steps:
            self._write_step(self._files, step, now)
        elif self._early_line_due is not None and now >= self._early_line_due:
            self._early_line_due = now + EARLY_LINE_EVERY_S
            self._tell_step(self._files, step, now)

    def validation(self, step: int, found: Validation) -> None:
        """Write what a validation has found: fractions in files, per cent for people."""
        if self._files is None:
            return
        shown = ", ".join(f"{name} {per_cent(value)}" for name, value in found.figures.items())
        self.say(f"step {step} {VALIDATION}, per cent: {shown}")
        if found.score_threshold is not None:
            f1 = per_cent(found.tracks.get("F1", -1))
            self.say(
                f"best F1 over tracks {f1} per cent, with those of a score of at least {found.score_threshold:.3g}"
            )
        figures = {**found.figures, **found.tracks}
        by_class = {f"AP/{name}": value for name, value in found.by_class.items()}
        named = {f"{VALIDATION}/{name}": value for name, value in figures.items()}
        named |= {f"AP_by_class/{name}": value for name, value in found.by_class.items()}
        self._files.record({"kind": VALIDATION, "step": step, **figures, **by_class}, step, named)
        for sink in self._files.sinks:
            for name, curve in found.curves.items():
                sink.curve(step, f"precision_recall/{name}", curve)
            for name, picture in found.pictures.items():
                sink.picture(step, f"videos/{name}", picture)

    def end(self, step: int, last: Path, best: Path, best_figure: str | None, config_file: Path) -> None:
        """Write which checkpoints the run leaves and how to test them. Without a figure there is no best checkpoint."""
        kept = f"best checkpoint {best} ({best_figure} per cent), last {last}" if best_figure else f"checkpoint {last}"
        done = f"all {step}" if step == self._total_steps else f"{step} of {self._total_steps}"
        self.say(f"{done} steps done: {kept}")
        self.say(f"test it: memcnp test {config_file} {best if best_figure else last} --eval segm")

    def has_validation(self, step: int) -> bool:
        """Return whether the resumed run had already written the validation of a step."""
        return self._files is not None and (step, VALIDATION) in self._files.written

    def state(self) -> LogState:
        """Return the running means for a checkpoint, after flushing the files to the disk."""
        if self._files is not None:
            os.fsync(self._files.json.fileno())
        return LogState(sums=dict(self._sums), counts=dict(self._counts), skipped=self._skipped)

    def _means(self) -> dict[str, float]:
        return {name: total / self._counts[name] for name, total in self._sums.items()}

    def _epoch(self, step: int) -> int:
        return 1 + (step - 1) // self._steps_per_epoch

    def _show_bar(self, bar: tqdm[Any], step: int) -> None:
        bar.set_description_str(f"epoch {self._epoch(step)}/{self._epoch(self._total_steps)}", refresh=False)
        if TOTAL in self._sums:
            bar.set_postfix_str(f"{TOTAL} {self._sums[TOTAL] / self._counts[TOTAL]:.4g}", refresh=False)
        bar.update()

    def _tell_step(self, files: LogFiles, step: int, now: float) -> None:
        """Write the means over the steps since the last line, and their speed."""
        seconds = (now - self._since) / self._steps
        parts = [_shown(name, value) for name, value in self._means().items()]
        parts += [f"{self._skipped} steps skipped"] if self._skipped else []
        parts += [f"{self._images / max(now - self._since, 1e-9):.1f} images/s", f"{seconds:.3g} s/step"]
        eta = tqdm.format_interval((self._total_steps - step) * seconds)
        line = f"epoch {self._epoch(step)} step {step}/{self._total_steps}: {', '.join(parts)}, ETA {eta}"
        if files.bar.disable:
            tell(line)
        files.write_line(line)

    def _write_step(self, files: LogFiles, step: int, now: float) -> None:
        self._tell_step(files, step, now)
        means, epoch = self._means(), self._epoch(step)
        rate = self._images / max(now - self._since, 1e-9)
        skipped = {"skipped_steps": self._skipped} if self._skipped else {}
        figures = {**means, **skipped, "images_per_second": rate}
        named = {f"train/{name}": value for name, value in figures.items()}
        files.record({"kind": "train", "step": step, "epoch": epoch, **figures}, step, named)
        self._early_line_due = None
        self._sums.clear()
        self._counts.clear()
        self._steps, self._images, self._skipped, self._since = 0, 0, 0, now


def _shown(name: str, value: float) -> str:
    """Return a figure as text for people; accuracies are in per cent."""
    return f"{name} {per_cent(value)} %" if name.endswith("_acc") else f"{name} {value:.4g}"


def _with_total(figures: Mapping[str, float]) -> dict[str, float]:
    """Return the figures with the sum of the losses in front."""
    losses = [value for name, value in figures.items() if name.startswith("loss")]
    return {TOTAL: sum(losses), **figures} if losses else dict(figures)
