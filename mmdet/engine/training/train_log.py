"""What a run says: a progress bar or plain lines on stderr, a text log, JSON lines and TensorBoard in the work dir.

The text log tells everything that happened; JSON lines and TensorBoard those of one run without interruptions: a
resumed run takes up the means it was at, and what was written after its checkpoint is dropped. Only the main process
has a log that speaks.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

from mmdet.engine.process.endings import end_by
from mmdet.engine.process.terminal import tell
from mmdet.errors import shown
from mmdet.evaluation.ap.tables import per_cent
from mmdet.fileio.atomic import set_aside, write_text_atomically

# Until the first `log_every` steps are done, which may take long on a CPU, lines come by time.
EARLY_LINE_EVERY_S = 30.0
# One line of 80 columns; tqdm fills the bar in.
BAR = "{desc} {n_fmt}/{total_fmt} |{bar}| ETA {remaining}, {rate_inv_fmt}{postfix}"
TOTAL = "loss"  # the sum of all losses, which is what is trained on


class TrainLog:
    """Figures are averaged over `log_every` steps and then written; `folder` None makes every method do nothing.

    On a terminal a progress bar tells the total loss alone, elsewhere lines tell every figure, as the text log does.
    `taken_up` is the `state()` of the run that is resumed after `first_step` steps, None for a new run.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        total_steps: int,
        steps_per_epoch: int,
        log_every: int,
        first_step: int = 0,
        taken_up: Mapping[str, Any] | None = None,
    ) -> None:
        self._folder, self._log_every, self._steps_per_epoch = folder, log_every, steps_per_epoch
        self._total_steps = total_steps
        taken_up = taken_up or {}
        self._sums: dict[str, float] = defaultdict(float, taken_up.get("sums", {}))
        self._counts: dict[str, int] = defaultdict(int, taken_up.get("counts", {}))
        self._skipped: int = taken_up.get("skipped", 0)
        self._steps, self._images, self._since = 0, 0, time.perf_counter()
        self._early_line_due: float | None = self._since + EARLY_LINE_EVERY_S
        if folder is None:
            return
        from torch.utils.tensorboard import SummaryWriter  # takes a second to import: only where it is used

        self._written, note = _keep_until(folder / "train.jsonl", first_step)
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=first_step + 1 if first_step else None)
        self._text: TextIO = open(folder / "train.log", "a", buffering=1, encoding="utf-8")  # noqa: SIM115  # closed by `close`
        self._json: TextIO = open(folder / "train.jsonl", "a", buffering=1, encoding="utf-8")  # noqa: SIM115
        self._bar = tqdm(
            total=total_steps,
            initial=first_step,
            disable=not sys.stderr.isatty(),
            unit="step",
            dynamic_ncols=True,
            smoothing=0.05,
            bar_format=BAR,
        )
        if note:
            self.say(note)

    def __enter__(self) -> TrainLog:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            with suppress(OSError):  # of a full disk, say, which is what ends the run
                end = end_by(error)
                self._note(f"ended: {end.message if end else f'{type(error).__name__}: {error}'}")
        self.close()

    def say(self, line: str) -> None:
        """Write a line to stderr and the text log."""
        if self._folder is not None:
            tell(line)
            self._note(line)

    def _note(self, line: str) -> None:
        """Write a line to the text log alone."""
        if self._folder is not None:
            self._text.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")

    def step(self, step: int, figures: Mapping[str, float], images: int, skipped: bool = False) -> None:
        """Count step number `step` (1 for the first) with its figures and the images of all processes.

        `skipped`: it was not made, as its gradient was not finite.
        """
        if self._folder is None:
            return
        self._skipped += skipped
        for name, value in _with_total(figures).items():
            self._sums[name] += value
            self._counts[name] += 1
        self._steps += 1
        self._images += images
        self._show_bar(step)
        now = time.perf_counter()
        if step % self._log_every == 0 or step == self._total_steps:
            self._write_step(step, now)
        elif self._early_line_due is not None and now >= self._early_line_due:
            self._early_line_due = now + EARLY_LINE_EVERY_S
            self._tell_step(step, now)

    def figures(self, step: int, kind: str, figures: Mapping[str, float]) -> None:
        """Write figures that belong to a step, such as a validation's: fractions, per cent for people."""
        if self._folder is None:
            return
        shown = ", ".join(f"{name} {per_cent(value)}" for name, value in figures.items())
        self.say(f"step {step} {kind}, per cent: {shown}")
        self._record({"kind": kind, "step": step, **figures}, step, kind, figures)

    def end(self, step: int, last: Path, best: Path, best_figure: str | None, config_file: Path) -> None:
        """Say what the run leaves behind and how to test it; without a figure there is no best checkpoint."""
        kept = f"best checkpoint {best} ({best_figure} per cent), last {last}" if best_figure else f"checkpoint {last}"
        self.say(f"all {step} steps done: {kept}")
        self.say(f"test it: python test_video.py {config_file} {best if best_figure else last} --eval segm")

    def has(self, step: int, kind: str) -> bool:
        """Say whether the run that was resumed had written such figures of a step up to its checkpoint."""
        return self._folder is not None and (step, kind) in self._written

    def state(self) -> dict[str, Any]:
        """Return what a resumed run needs to go on with the means, as plain values; what is written is on the disk."""
        if self._folder is not None:
            os.fsync(self._json.fileno())
        return {"sums": dict(self._sums), "counts": dict(self._counts), "skipped": self._skipped}

    def close(self) -> None:
        """Close the files."""
        if self._folder is None:
            return
        self._bar.close()
        self._board.close()
        self._text.close()
        self._json.close()

    def _means(self) -> dict[str, float]:
        return {name: total / self._counts[name] for name, total in self._sums.items()}

    def _epoch(self, step: int) -> int:
        return 1 + (step - 1) // self._steps_per_epoch

    def _show_bar(self, step: int) -> None:
        self._bar.set_description_str(f"epoch {self._epoch(step)}/{self._epoch(self._total_steps)}", refresh=False)
        if TOTAL in self._sums:
            self._bar.set_postfix_str(f"{TOTAL} {self._sums[TOTAL] / self._counts[TOTAL]:.4g}", refresh=False)
        self._bar.update()

    def _tell_step(self, step: int, now: float) -> None:
        """Write the means of the steps since they were last written, and how fast these were."""
        seconds = (now - self._since) / self._steps
        parts = [_shown(name, value) for name, value in self._means().items()]
        parts += [f"{self._skipped} steps skipped"] if self._skipped else []
        parts += [f"{self._images / max(now - self._since, 1e-9):.1f} images/s", f"{seconds:.3g} s/step"]
        eta = tqdm.format_interval((self._total_steps - step) * seconds)
        line = f"epoch {self._epoch(step)} step {step}/{self._total_steps}: {', '.join(parts)}, ETA {eta}"
        if self._bar.disable:
            self.say(line)
        else:
            self._note(line)

    def _write_step(self, step: int, now: float) -> None:
        self._tell_step(step, now)
        means, epoch = self._means(), self._epoch(step)
        rate = self._images / max(now - self._since, 1e-9)
        skipped = {"skipped_steps": self._skipped} if self._skipped else {}
        figures = {**means, **skipped, "images_per_second": rate}
        self._record({"kind": "train", "step": step, "epoch": epoch, **figures}, step, "train", figures)
        self._early_line_due = None
        self._sums.clear()
        self._counts.clear()
        self._steps, self._images, self._skipped, self._since = 0, 0, 0, now

    def _record(self, entry: dict[str, Any], step: int, kind: str, figures: Mapping[str, float]) -> None:
        self._json.write(json.dumps(entry) + "\n")
        for name, value in figures.items():
            self._board.add_scalar(f"{kind}/{name}", value, step)


def _shown(name: str, value: float) -> str:
    """Name a figure for people: what is a share, an accuracy, in per cent."""
    return f"{name} {per_cent(value)} %" if name.endswith("_acc") else f"{name} {value:.4g}"


def _with_total(figures: Mapping[str, float]) -> dict[str, float]:
    """Return the figures with the sum of the losses before them."""
    losses = [value for name, value in figures.items() if name.startswith("loss")]
    return {TOTAL: sum(losses), **figures} if losses else dict(figures)


def _keep_until(path: Path, step: int) -> tuple[set[tuple[int, str]], str | None]:
    """Drop the entries after a step, and a line that was cut off; return (step, kind) of those that stay, and a note.

    Where none may stay, as the run is a new one, and where no run wrote the file, it gets another name instead:
    `train.1.jsonl` and so on.
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
    """Return step and kind of a line, None if it is none that a run wrote whole."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or type(entry.get("step")) is not int or not isinstance(entry.get("kind"), str):
        return None
    return entry["step"], entry["kind"]


def checked_state(state: Any) -> dict[str, Any]:
    """Return a state of TrainLog as a checkpoint has it. Raises TypeError for any other value."""
    sums, counts, skipped = (state.get(key, default) for key, default in (("sums", {}), ("counts", {}), ("skipped", 0)))
    sound = all(isinstance(part, dict) for part in (sums, counts)) and sums.keys() == counts.keys()
    numbers = [*sums.values(), *counts.values(), skipped] if sound else []
    if not sound or not all(isinstance(number, int | float) for number in numbers):
        raise TypeError(f"sums of the log {shown(state)}")
    return {"sums": sums, "counts": counts, "skipped": skipped}
