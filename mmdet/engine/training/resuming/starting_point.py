"""The start of a run: a checkpoint to resume, a file of weights, pretrained weights of the backbone, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import is_zipfile

from mmdet.engine.checkpoints.file import check_whole
from mmdet.engine.checkpoints.index import (
    forget_checkpoints,
    is_checkpoint_name,
    latest_whole_checkpoint,
    make_latest,
    remove_leftovers,
    repair_index,
)
from mmdet.engine.checkpoints.pretrained import load_pretrained
from mmdet.engine.checkpoints.weights import read_weights, start_from
from mmdet.engine.training.trainer import Trainer
from mmdet.errors import UserError

AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """The requested start of a run. Raises UserError if both options are given.

    `resume_from` goes on with the run of a checkpoint ("auto": the latest undamaged one in the work dir, if there is
    one). `load_from` starts a new run from weights. Without both, a new run starts from the weights that the config
    names as `pretrained`.
    """

    load_from: str | None = None
    resume_from: str | None = None
    trusted: bool = False  # these files may hold any object (see load_checkpoint)
    ema: bool = True  # start from the moving average of the weights, if the file has one

    def __post_init__(self) -> None:
        if self.load_from and self.resume_from:
            raise UserError("--load_from starts a new run and --resume_from goes on with one: give only one of them")

    def goes_on_in(self, work_dir: Path) -> bool:
        """Whether the resumed run is the one in the work dir, so that its files belong to this run."""
        if self.resume_from is None:
            return False
        return self.resume_from == AUTO or Path(self.resume_from).resolve().parent == work_dir.resolve()


@dataclass(frozen=True, slots=True, kw_only=True)
class StartingPoint:
    """The start of a run, found and undamaged. `notes` are lines about how it was found."""

    checkpoint: Path | None = None  # of the resumed run
    weights: str | None = None  # a file, for a new run
    trusted: bool = False
    ema: bool = True
    notes: tuple[str, ...] = ()

    def take_up(self, trainer: Trainer) -> list[str]:
        """Bring a trainer to this start. Return lines for its log that say what it starts from."""
        if self.checkpoint is not None:
            return [*self.notes, *trainer.resume(self.checkpoint, self.trusted)]
        if self.weights:
            weights = read_weights(self.weights, self.trusted, self.ema)
            return [*self.notes, start_from(trainer.model, weights, trainer.setup.about.class_names)]
        loaded = load_pretrained(trainer.model.backbone, self.trusted)
        return [*self.notes, *([loaded] if loaded else [])]

    def note_in(self, work_dir: Path) -> None:
        """Update the work dir's index of checkpoints to the start of the run."""
        remove_leftovers(work_dir)
        if self.checkpoint is None or self.checkpoint.resolve().parent != work_dir.resolve():
            forget_checkpoints(work_dir)  # the checkpoints are of another run
        elif is_checkpoint_name(self.checkpoint.name):
            make_latest(work_dir, self.checkpoint.name)


def find_starting_point(request: StartRequest, work_dir: Path) -> StartingPoint:
    """Return the start of a run in `work_dir`. A faulty index of checkpoints is rebuilt."""
    notes: list[str] = []
    if request.goes_on_in(work_dir):
        repair_index(work_dir, notes.append)
    checkpoint = None
    if request.resume_from == AUTO:
        checkpoint = latest_whole_checkpoint(work_dir, notes.append)
        if checkpoint is None:
            notes.append(f"--resume_from auto: no checkpoint in {work_dir}, so the run starts anew")
    elif request.resume_from:
        checkpoint = Path(request.resume_from)
        if is_zipfile(checkpoint):
            check_whole(checkpoint)
    return StartingPoint(
        checkpoint=checkpoint,
        weights=request.load_from,
        trusted=request.trusted,
        ema=request.ema,
        notes=tuple(notes),
    )
