"""The training loop: epochs of optimiser steps, logged, validated, and saved so that a run resumes exactly."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import DataLoader

from mmdet.config import RuntimeSection, ScheduleSection
from mmdet.engine.checkpoints import file as files
from mmdet.engine.checkpoints import index as index
from mmdet.engine.process.endings import SIGNAL_CODE_BASE, RunEnded
from mmdet.engine.process.faults import out_of_memory, telling_faults
from mmdet.engine.process.processes import Ranks
from mmdet.engine.process.signals import StopSignals
from mmdet.engine.training.bad_frames import BadFrames
from mmdet.engine.training.optimization.schedule import learning_rate_factor, total_steps
from mmdet.engine.training.resume_checks import check_batches, check_data, differences
from mmdet.engine.training.run_state import capture_state, restore_state
from mmdet.engine.training.steps.idle_steps import IdleSteps
from mmdet.engine.training.steps.readback import Readback, StepFigures
from mmdet.engine.training.steps.train_step import TrainStep
from mmdet.engine.training.train_log import TrainLog, checked_state
from mmdet.errors import UserError
from mmdet.evaluation.ap.tables import per_cent
from mmdet.ops.collectives import barrier, gather_objects, largest_over_ranks
from mmdet.structures import ClipBatch

if TYPE_CHECKING:
    from mmdet.models.detectors.vis_model import VISModel

# A float16 step that overflows is skipped and the loss scale halved. From torch's first scale, 2**16, so many halvings
# in a row lead below 1: then scaling is not what is wrong.
MAX_SKIPPED_STEPS = 25
GO_ON = "start again with --resume_from auto"
SELECTED_BY = "AP"  # the figure of a validation that the best checkpoint is chosen by

Validate = Callable[[], dict[str, float] | None]


class Trainer:
    """One run. `validate` is called in every process and returns figures where it has any.

    `about` (plain values) goes into every checkpoint; what it says of config and data is compared when a run resumes.
    `notes` are lines to begin the log with.
    """

    def __init__(
        self,
        *,
        model: VISModel,
        optimizer: torch.optim.Optimizer,
        loader: DataLoader[ClipBatch],
        schedule: ScheduleSection,
        runtime: RuntimeSection,
        ranks: Ranks,
        work_dir: Path,
        about: dict[str, Any],
        validate: Validate | None = None,
        max_bad_frames: int = 0,
    ) -> None:
        if len(loader) == 0:
            raise UserError("config.data.train.datasets: there is not one item to train on")
        self.model, self.optimizer, self.loader, self.ranks = model, optimizer, loader, ranks
        self.schedule, self.runtime = schedule, runtime
        self.work_dir, self.about, self.validate = work_dir, about, validate
        graphs = runtime.cuda_graphs and not runtime.deterministic
        self.make_step = TrainStep(model, optimizer, ranks, runtime.amp, runtime.grad_clip, graphs)
        self.batches_per_epoch = len(loader)
        sampler: Any = loader.batch_sampler
        self._pairs_a_batch: int = sampler.batch_size * ranks.world_size
        self.steps_per_epoch = -(-self.batches_per_epoch // runtime.accumulate)
        self.total_steps = total_steps(schedule, self.steps_per_epoch)
        self.step = 0  # optimiser steps done; epoch and batch follow from it
        self.best: float | None = None
        self.notes: list[str] = []
        self.bad_frames = BadFrames(max_bad_frames)
        self._readback = Readback(ranks.device)
        self._skipped = 0  # steps in a row
        self._idle = IdleSteps()
        self.config_file = Path("CONFIG")  # named for who tests the result
        self._stop_signal = 0  # as agreed on by all processes
        self._taken_up: dict[str, Any] | None = None  # the log's state of the run that is resumed

    def run(self) -> None:
        """Train to the end. Raises RunEnded after a step that is not finite, and after a stop signal."""
        with telling_faults(GO_ON), StopSignals() as self._signals, self._open_log() as self._log:
            for note in self.notes:
                self._log.say(note)
            self._log.say(
                f"steps {self.step} to {self.total_steps}, {self.steps_per_epoch} an epoch, on "
                f"{self.ranks.world_size} x {self.ranks.device.type} in {self.make_step.dtype}, to {self.work_dir}"
            )
            while True:
                # first of all: the run that is resumed may have ended between a checkpoint and its validation
                if self.validate and self._validation_due():
                    self.validate_and_keep_best(self.validate)
                if self.step >= self.total_steps:
                    break
                self.train_epoch()
            self._say_what_is_left()

    def train_epoch(self) -> None:
        """Train from where the run is to the end of the epoch, or of the run."""
        epoch, steps_done = divmod(self.step, self.steps_per_epoch)
        sampler: Any = self.loader.batch_sampler
        sampler.set_position(epoch, skip_batches=steps_done * self.runtime.accumulate)
        self.model.train()
        for batches in _grouped(self.loader, self.runtime.accumulate):
            self.check_frames(batches)
            self.train_on(batches)
            self.read_figures()
            if self._stop_signal:
                self.stop()
            if self._checkpoint_due():
                self.save(self.checkpoint_name)
            if self.step == self.total_steps:
                return

    def check_frames(self, batches: Sequence[ClipBatch]) -> None:
        """Count frames that could not be read; at one too many save the run as it is before `batches`, and end it."""
        problem = self.bad_frames.meet(batches, self._log.say)
        if problem is not None:
            if self.step > 0:
                self.save(self.checkpoint_name)
                problem += f"; then go on with --resume_from {self.work_dir / self.checkpoint_name}"
            barrier()
            raise UserError(problem)

    def train_on(self, batches: Sequence[ClipBatch]) -> None:
        """Make one step and send its figures on their way to the host."""
        factor = self._learning_rate_factor(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor
        try:
            figures = self.make_step(batches)
        except torch.OutOfMemoryError as error:
            raise out_of_memory(error, self.step + 1, batches) from error
        figures["stop_signal"] = largest_over_ranks(
            self._signals.received, self.ranks.device
        )  # so that all stop together
        self.step += 1
        images = sum(batch.images.shape[:2].numel() for batch in batches) * self.ranks.world_size
        self._readback.put(self.step, figures, tuple(batch.describe() for batch in batches), images)

    def read_figures(self, everything: bool = False) -> None:
        """Log the steps whose figures have arrived. Raises RunEnded if one was not finite."""
        for done in self._readback.take(everything):
            figures = dict(done.figures)
            self._stop_signal = self._stop_signal or int(figures.pop("stop_signal"))
            self._skipped = 0 if math.isfinite(figures["grad_norm"]) else self._skipped + 1
            self._idle.meet(figures["grad_norm"], self._log.say)
            if self._skipped:
                if not self.make_step.scaler.is_enabled() or self._skipped >= MAX_SKIPPED_STEPS:
                    self._fail(replace(done, figures=figures))
                figures = {}  # they would spoil the means
            figures["lr"] = self.optimizer.defaults["lr"] * self._learning_rate_factor(done.step - 1)
            if self.ranks.device.type == "cuda":
                figures["peak_gib"] = torch.cuda.max_memory_allocated(self.ranks.device) / 2**30
            self._log.step(done.step, figures, done.images, self._skipped > 0)

    def validate_and_keep_best(self, validate: Validate) -> None:
        """Validate; save as the best if it is. A figure in the log means that all this is done."""
        figures = validate() or {}
        figure = figures.get(SELECTED_BY, -math.inf)
        best = -math.inf if self.best is None else self.best
        if any(gather_objects(figure > best)):
            self.best = max(figure, best)
            self.save(index.BEST)
        if figures and self.ranks.is_main:
            index.note_figure(self.work_dir, self.checkpoint_name, figure)
            self._log.figures(self.step, "validation", figures)

    def save(self, name: str) -> None:
        """Write a checkpoint; all processes take part. Raises RunEnded rather than write what is not finite."""
        self.read_figures(everything=True)
        state = capture_state(self.model, self.optimizer, self.make_step.scaler, self.ranks)
        if not self.ranks.is_main:
            return
        state["position"], state["best"], state["about"] = self._position(), self.best, self.about
        state["log"], state["bad_frames"] = self._log.state(), self.bad_frames.state()
        files.save_checkpoint(self.work_dir / name, state)
        if name != index.BEST:
            index.index_checkpoint(self.work_dir, name, self.runtime.keep_last, self.runtime.keep_best)

    def resume(self, path: Path, trusted: bool = False) -> None:
        """Take up a run where a checkpoint of this class left it; learning rates and the like are the config's.

        `trusted`: the file may hold any object (see load_checkpoint).
        """
        state = files.load_checkpoint(path, trusted)
        position = state.get("position", {})
        check_batches(position, self._position(), path)
        check_data(state.get("about", {}), self.about, path)
        restore_state(state, path, self.model, self.optimizer, self.make_step.scaler, self.ranks)
        self.notes += [
            f"resumed from {path}",
            *differences(state, {"position": self._position(), "about": self.about}),
        ]
        self.step, self._taken_up = position["step"], checked_state(state.get("log", {}))
        self.best = state.get("best")
        self.bad_frames.take_up(state.get("bad_frames"))
        best = self.work_dir / index.BEST  # knows of a validation that came after the checkpoint
        if best.is_file() and path.resolve().parent == self.work_dir.resolve():
            try:
                self.best = files.load_checkpoint(best).get("best")
            except UserError as error:
                self.notes.append(f"{error}: the best validation is that of {path}")

    def stop(self) -> None:
        """Save and leave, as a signal asked for."""
        self.save(self.checkpoint_name)
        barrier()  # whoever started the processes may end the rest with the first that leaves
        raise RunEnded(
            f"stopped by {signal.Signals(self._stop_signal).name} after step {self.step} of {self.total_steps}; "
            f"go on with --resume_from {self.work_dir / self.checkpoint_name}",
            SIGNAL_CODE_BASE + self._stop_signal,
        )

    def _say_what_is_left(self) -> None:
        best = self.work_dir / index.BEST
        has_best = best.is_file() and self.best is not None and math.isfinite(self.best)
        figure = f"{SELECTED_BY} {per_cent(self.best)}" if has_best and self.best is not None else None
        self._log.end(self.step, self.work_dir / self.checkpoint_name, best, figure, self.config_file)

    @property
    def checkpoint_name(self) -> str:
        """The file that the present state is saved to."""
        epoch, rest = divmod(self.step, self.steps_per_epoch)
        return f"step_{self.step}.pth" if rest else f"epoch_{epoch}.pth"

    def _checkpoint_due(self) -> bool:
        epoch, rest = divmod(self.step, self.steps_per_epoch)
        every_steps = self.runtime.checkpoint_every_steps
        return (
            self.step == self.total_steps
            or (rest == 0 and epoch % self.runtime.checkpoint_every == 0)
            or (every_steps is not None and self.step % every_steps == 0)
        )

    def _validation_due(self) -> bool:
        epoch, rest = divmod(self.step, self.steps_per_epoch)
        at_its_interval = self.step > 0 and rest == 0 and epoch % self.runtime.validate_every == 0
        done = any(gather_objects(self._log.has(self.step, "validation")))
        return (self.step == self.total_steps or at_its_interval) and not done

    def _position(self) -> dict[str, int]:
        epoch, steps_done = divmod(self.step, self.steps_per_epoch)
        return {
            "step": self.step,
            "epoch": epoch,
            "batch": steps_done * self.runtime.accumulate,
            "batches_per_epoch": self.batches_per_epoch,
            "accumulate": self.runtime.accumulate,
            "pairs_a_batch": self._pairs_a_batch,
            "world_size": self.ranks.world_size,
        }

    def _fail(self, done: StepFigures) -> None:
        """Raise, in every process after the same step, the same error about those that caused it."""
        reports: list[StepFigures] = gather_objects(done)
        causes = [report for report in reports if not report.finite_losses] or reports
        raise RunEnded(
            f"step {done.step} (epoch {1 + (done.step - 1) // self.steps_per_epoch}) is not finite, it was not made: "
            f"{' | '.join(cause.describe() for cause in causes)}. Try a lower learning rate, more warm-up or --amp off"
        )

    def _learning_rate_factor(self, step: int) -> float:
        return learning_rate_factor(step, self.schedule, self.steps_per_epoch)

    def _open_log(self) -> TrainLog:
        return TrainLog(
            self.work_dir if self.ranks.is_main else None,
            total_steps=self.total_steps,
            steps_per_epoch=self.steps_per_epoch,
            log_every=self.runtime.log_every,
            first_step=self.step,
            taken_up=self._taken_up,
        )


def _grouped(loader: Iterable[ClipBatch], size: int) -> Iterator[list[ClipBatch]]:
    """Yield the batches of one optimiser step after the other; an epoch's last step may have fewer."""
    batches = iter(loader)
    while group := list(islice(batches, size)):
        yield group
