"""The training loop: epochs of optimiser steps, logged, validated, and saved so that a run resumes exactly."""

from __future__ import annotations

import math
import signal
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from mmdet.engine.process.endings import SIGNAL_CODE_BASE, RunEnded
from mmdet.engine.process.faults import out_of_memory, telling_faults
from mmdet.engine.process.signals import StopSignals
from mmdet.engine.training.bad_frames import BadFrames
from mmdet.engine.training.hooks.hook_list import Hooks
from mmdet.engine.training.hooks.training_run import TrainingRun
from mmdet.engine.training.logs.train_log import TrainLog
from mmdet.engine.training.resuming.resume_checks import check_batches, check_data, differences
from mmdet.engine.training.run_state import RunState
from mmdet.engine.training.saving import Checkpoints, capture_state, read_state, restore_state, told_if_foreign
from mmdet.engine.training.setup import TrainSetup
from mmdet.engine.training.step_reports import STOP_BY_HOOK, StepReports
from mmdet.engine.training.steps.train_step import TrainStep
from mmdet.engine.training.steps.weight_average import WeightAverage
from mmdet.engine.training.validation import SELECTED_BY
from mmdet.errors import UserError
from mmdet.evaluation.ap.tables import per_cent
from mmdet.ops.collectives import barrier, gather_objects
from mmdet.structures import ClipBatch

GO_ON = "start again with --resume_from auto"


class Trainer:
    """One run. Only its `step` and what validations found change; everything else is made once."""

    def __init__(self, setup: TrainSetup) -> None:
        self.setup, self.plan = setup, setup.plan()
        self.model, self.optimizer, self.loader = setup.model, setup.optimizer, setup.loader
        self.step = 0  # finished optimiser steps; epoch and batch follow from it
        self.best: float | None = None  # best figure of the validations so far
        self.score_threshold: float | None = None  # found for the model as it is now
        ranks, runtime = setup.ranks, setup.runtime
        graphs = runtime.cuda_graphs and not runtime.deterministic
        self.make_step = TrainStep(self.model, self.optimizer, ranks, runtime.amp, runtime.grad_clip, graphs)
        self.average = None if setup.ema is None else WeightAverage(self.model, setup.ema)
        self.log = TrainLog(
            setup.work_dir if ranks.is_main else None,
            total_steps=self.plan.total_steps,
            steps_per_epoch=self.plan.steps_per_epoch,
            log_every=runtime.log_every,
            loggers=runtime.loggers,
            settings=setup.about.settings,
        )
        self.reports = StepReports(self.plan, ranks, self.make_step, self.log)
        self.checkpoints = Checkpoints(setup.work_dir, runtime)
        self.bad_frames = BadFrames(setup.max_bad_frames)
        self.signals = StopSignals()
        self.seen = TrainingRun(
            model=self.model,
            averaged_model=None if self.average is None else self.average.model,
            optimizer=self.optimizer,
            plan=self.plan,
            ranks=ranks,
            work_dir=setup.work_dir,
            say=self.log.say,
            finished_steps=lambda: self.step,
        )
        self.hooks = Hooks(setup.hooks, self.seen)

    def run(self, notes: Sequence[str] = ()) -> None:
        """Train to the end. `notes` are the first lines of the log.

        Raises RunEnded after a step that is not finite, and after a stop signal.
        """
        with telling_faults(GO_ON), self.signals, self.log.opened(self.step):
            for note in [*notes, self._what_is_ahead()]:
                self.log.say(note)
            if self.average is not None and self.step == 0:
                self.average.restart()  # from the weights that the run has been given since
            self.hooks.call("before_run")
            while True:
                # comes first: the resumed run may have ended between a checkpoint and its validation
                if self._validation_due():
                    self.validate_and_keep_best()
                if self.step >= self.plan.total_steps or self._stopped_by_hook():
                    break
                self.train_epoch()
            self._say_what_is_left()
            self.hooks.call("after_run")

    def train_epoch(self) -> None:
        """Train from the current step to the end of the epoch or of the run."""
        epoch, steps_done = divmod(self.step, self.plan.steps_per_epoch)
        sampler: Any = self.loader.batch_sampler
        sampler.set_position(epoch, skip_batches=steps_done * self.setup.runtime.accumulate)
        self.model.train()
        self.hooks.call("before_epoch")
        for batches in _grouped(self.loader, self.setup.runtime.accumulate):
            self.check_frames(batches)
            self.train_on(batches)
            if self.step % self.plan.steps_per_epoch == 0:
                self.hooks.call("after_epoch")
            self.reports.read()
            if self.reports.stop_signal not in (0, STOP_BY_HOOK):
                self.stop()
            if self.plan.checkpoint_due(self.step):
                self.save()
            if self.step == self.plan.total_steps or self.reports.stop_signal:
                return

    def check_frames(self, batches: Sequence[ClipBatch]) -> None:
        """Count unreadable frames. If there are too many, save the run as it is before `batches` and end it."""
        problem = self.bad_frames.meet(batches, self.log.say)
        if problem is not None:
            if self.step > 0:
                self.save()
                problem += f"; then go on with --resume_from {self.checkpoint_path}"
            barrier()
            raise UserError(problem)

    def train_on(self, batches: Sequence[ClipBatch]) -> None:
        """Make one step and start copying its figures to the host."""
        self._set_learning_rate(self.step)
        self.hooks.call("before_step", batches)
        try:
            figures = self.make_step(batches, measure=self.plan.log_due(self.step + 1))
        except torch.OutOfMemoryError as error:
            raise out_of_memory(error, self.step + 1, batches) from error
        self.step, self.score_threshold = self.step + 1, None
        figures = self.hooks.after_step(figures)
        if self.average is not None:
            self.average.update(self.step)
        stop = STOP_BY_HOOK if self.seen.stop_reasons else self.signals.received
        self.reports.put(self.step, figures, batches, stop)

    def _set_learning_rate(self, finished_steps: int) -> None:
        factor = self.plan.learning_rate_factor(finished_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor

    def validate_and_keep_best(self) -> None:
        """Validate, save the model if it is the best, and add what was found to its numbered checkpoint.

        The figure is logged last, so a logged figure means that all is done.
        """
        assert self.setup.validate is not None
        self.hooks.call("before_validation")
        found = self.setup.validate(self.model if self.average is None else self.average.model)
        figure = found.figures.get(SELECTED_BY, -math.inf)
        best = -math.inf if self.best is None else self.best
        is_best = any(gather_objects(figure > best))
        self.best = max(figure, best) if is_best else self.best
        self.score_threshold = found.score_threshold
        self.hooks.call("after_validation", found)
        state, name = self.state(), self.checkpoint_path.name
        if not self.setup.ranks.is_main:
            return
        if is_best:
            self.checkpoints.write_best(state)
        if found.score_threshold is not None or state.hooks:
            self.checkpoints.write_again(name, state)
        if found.figures:
            self.checkpoints.note_figure(name, figure)
            self.log.validation(self.step, found)

    def save(self) -> None:
        """Write a checkpoint. All processes must call it."""
        state = self.state()
        if self.setup.ranks.is_main:
            self.checkpoints.write(self.checkpoint_path.name, state)

    def state(self) -> RunState:
        """Return the state of the run. All processes must call it. Raises RunEnded if weights are not finite."""
        self.reports.read(everything=True)
        return capture_state(
            self.make_step,
            self.average,
            position=self.plan.position(self.step),
            best=self.best,
            score_threshold=self.score_threshold,
            about=self.setup.about,
            log=self.log.state(),
            bad_frames=self.bad_frames.known,
            hooks=self.hooks.state(),
        )

    def resume(self, path: Path, trusted: bool = False) -> list[str]:
        """Restore a run from its checkpoint. Return lines about it. Learning rates stay those of the config.

        `trusted`: the file may hold any object (see `load_checkpoint`).
        """
        now, about = self.plan.position(0), self.setup.about
        with told_if_foreign(path):
            state = read_state(path, trusted)
            check_batches(state.position, now, path)
            check_data(state.about, about, path)
            notes = restore_state(state, self.make_step, self.average, self.setup.ranks, path)
            notes += self.hooks.take_up(state.hooks)
        self.step, self.score_threshold = state.position.step, state.score_threshold
        if self.step > 0:
            self._set_learning_rate(self.step - 1)  # a checkpoint written before the next step has that of the last one
        self.log.take_up(state.log)
        self.bad_frames.take_up(state.bad_frames)
        self.make_step.memory_use.take_up(state.slots_written)
        self.best, about_best = self.checkpoints.best_figure(path, state.best)
        changes = differences(state.about, about, state.position.world_size, self.setup.ranks.world_size)
        return [f"resumed from {path}", *changes, *notes, *about_best]

    def stop(self) -> None:
        """Save and end the run after a stop signal."""
        self.save()
        barrier()  # the launcher may end the other processes as soon as one has ended
        number = self.reports.stop_signal
        raise RunEnded(
            f"stopped by {signal.Signals(number).name} after step {self.step} of {self.plan.total_steps}; "
            f"go on with --resume_from {self.checkpoint_path}",
            SIGNAL_CODE_BASE + number,
        )

    @property
    def checkpoint_path(self) -> Path:
        """The file for the current state."""
        return self.setup.work_dir / self.plan.checkpoint_name(self.step)

    def _stopped_by_hook(self) -> bool:
        """Return whether a hook of any process has stopped the run; then say why, and save."""
        reasons = [reason for found in gather_objects(self.seen.stop_reasons) for reason in found]
        if reasons:
            self.log.say(f"stopped after step {self.step} of {self.plan.total_steps}: {reasons[0]}")
            self.save()
        return bool(reasons)

    def _validation_due(self) -> bool:
        if self.setup.validate is None:
            return False
        done = any(gather_objects(self.log.has_validation(self.step)))
        return self.plan.validation_due(self.step) and not done

    def _what_is_ahead(self) -> str:
        ranks, plan, ema = self.setup.ranks, self.plan, self.setup.ema
        average = "" if ema is None else f"; weights are averaged with a decay of {ema.decay:g}"
        return (
            f"steps {self.step} to {plan.total_steps}, {plan.steps_per_epoch} an epoch, on "
            f"{ranks.world_size} x {ranks.device.type} in {self.make_step.dtype}, to {self.setup.work_dir}{average}"
        )

    def _say_what_is_left(self) -> None:
        """Tell which checkpoints there are; one resumed at its end from another folder has left none here so far."""
        if any(gather_objects(self.setup.ranks.is_main and not self.checkpoint_path.is_file())):
            self.save()
        best = self.checkpoints.best_path
        has_best = best.is_file() and self.best is not None and math.isfinite(self.best)
        figure = f"{SELECTED_BY} {per_cent(self.best)}" if has_best and self.best is not None else None
        self.log.end(self.step, self.checkpoint_path, best, figure, self.setup.config_file)


def _grouped(loader: Iterable[ClipBatch], size: int) -> Iterator[list[ClipBatch]]:
    """Yield the batches of one optimiser step after the other. The last step of an epoch may have fewer."""
    batches = iter(loader)
    while group := list(islice(batches, size)):
        yield group
