"""A run's checkpoints: capture its state, write it to the work dir, read it and restore it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmdet.config import RuntimeSection
from mmdet.engine.checkpoints import file as files
from mmdet.engine.checkpoints import index
from mmdet.engine.checkpoints.weights import Weights, check_finite, load_weights
from mmdet.engine.process.endings import RunEnded
from mmdet.engine.process.faults import known_fault
from mmdet.engine.process.processes import Ranks
from mmdet.engine.process.randomness import random_state, restore_random_state
from mmdet.engine.training.logs.train_log import LogState
from mmdet.engine.training.optimization.optimizer_state import restore_optimizer
from mmdet.engine.training.plan import Position
from mmdet.engine.training.run_about import RunAbout
from mmdet.engine.training.run_state import RunState, is_figure
from mmdet.engine.training.steps.train_step import TrainStep
from mmdet.engine.training.steps.weight_average import WeightAverage
from mmdet.errors import UserError, shown
from mmdet.ops.collectives import gather_objects

SHOWN_REASON = 200  # characters of a message from another library


def capture_state(
    trained: TrainStep,
    average: WeightAverage | None,
    *,
    position: Position,
    best: float | None,
    score_threshold: float | None,
    about: RunAbout,
    log: LogState,
    bad_frames: tuple[str, ...],
    hooks: Mapping[str, Any],
) -> RunState:
    """Return the state of the training and the information about the run. All processes must call it.

    Raises RunEnded if a weight is not finite: such a state is never saved.
    """
    weights = trained.model.state_dict()
    spoilt = [key for key, value in weights.items() if value.is_floating_point() and not value.isfinite().all()]
    if spoilt:
        raise RunEnded(
            f"nothing was saved: {len(spoilt)} tensors of the model are not finite, the first is {spoilt[0]}"
        )
    return RunState(
        model=weights,
        ema=None if average is None else average.model.state_dict(),
        optimizer=trained.optimizer.state_dict(),
        scaler=trained.scaler.state_dict(),
        random_states=tuple(gather_objects(random_state())),
        position=position,
        best=best,
        score_threshold=score_threshold,
        about=about,
        log=log,
        bad_frames=bad_frames,
        hooks=hooks,
        slots_written=trained.memory_use.written,
    )


def restore_state(
    state: RunState, trained: TrainStep, average: WeightAverage | None, ranks: Ranks, source: Path
) -> list[str]:
    """Restore a captured state. Return lines about what is not as before. Raises UserError if it does not fit.

    Learning rates and similar settings stay those of the config. Random generators are not restored if the number of
    processes differs.
    """
    check_finite(state.model, source)
    load_weights(trained.model, Weights(tensors=dict(state.model), source=str(source)), None)
    restore_optimizer(trained.optimizer, state.optimizer, source)
    if trained.scaler.is_enabled() and state.scaler:
        trained.scaler.load_state_dict(dict(state.scaler))
    if len(state.random_states) == ranks.world_size:
        restore_random_state(state.random_states[ranks.rank])
    return _restore_average(state, average, source)


def _restore_average(state: RunState, average: WeightAverage | None, source: Path) -> list[str]:
    if average is None:
        return [] if state.ema is None else [f"the average of weights (EMA) in {source} ends: the config has no `ema`"]
    if state.ema is None:
        average.restart()
        return [f"the average of weights (EMA) starts from the weights of {source}, which has none"]
    average.take_up(state.ema, source)
    return []


def read_state(path: Path, trusted: bool = False) -> RunState:
    """Read a checkpoint that a run saved. `trusted`: it may hold any object (see `load_checkpoint`)."""
    plain = files.load_checkpoint(path, trusted)
    if "step" not in plain.get("position", {}):
        raise UserError(f"{path} holds no state of a training run; start from its weights by --load_from")
    return RunState.from_plain(plain)


@contextmanager
def told_if_foreign(path: Path) -> Iterator[None]:
    """Turn any error caused by wrong parts of a checkpoint into a UserError."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        if known_fault(error) is not None:
            raise
        reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0][:SHOWN_REASON]}"
        raise UserError(
            f"{path} holds no state of a run that can be taken up ({reason}); start from its weights by --load_from"
        ) from error


class Checkpoints:
    """The checkpoints of a run in its work dir, and their index. Only the main process writes."""

    def __init__(self, work_dir: Path, runtime: RuntimeSection) -> None:
        self.work_dir, self.best_path = work_dir, work_dir / index.BEST
        self._keep_last, self._keep_best = runtime.keep_last, runtime.keep_best

    def write(self, name: str, state: RunState) -> None:
        """Write a numbered checkpoint and delete old ones that need not be kept."""
        files.save_checkpoint(self.work_dir / name, state.to_plain())
        index.index_checkpoint(self.work_dir, name, self._keep_last, self._keep_best)

    def write_again(self, name: str, state: RunState) -> None:
        """Write a numbered checkpoint again, with what has been found of its model, if it is one of this run."""
        if index.is_indexed(self.work_dir, name):
            files.save_checkpoint(self.work_dir / name, state.to_plain())

    def write_best(self, state: RunState) -> None:
        """Write the best checkpoint."""
        files.save_checkpoint(self.best_path, state.to_plain())

    def note_figure(self, name: str, figure: float) -> None:
        """Store the figure of a validation with the checkpoint `name`."""
        index.note_figure(self.work_dir, name, figure)

    def best_figure(self, resumed: Path, figure: float | None) -> tuple[float | None, list[str]]:
        """Return the best figure of a resumed run, and lines about it. `figure` is that of its checkpoint.

        The best checkpoint in the same folder may be of a later validation than the resumed checkpoint.
        """
        if not self.best_path.is_file() or resumed.resolve().parent != self.work_dir.resolve():
            return figure, []
        try:
            best = files.load_checkpoint(self.best_path).get("best")
            if not (best is None or is_figure(best)):
                raise UserError(f"{self.best_path} has {shown(best)} as its figure")
        except UserError as error:
            return figure, [f"{error}: the best validation is that of {resumed}"]
        return best, []
