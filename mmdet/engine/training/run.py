"""From a config to a run: build data, model, optimiser and trainer, find the weights to start from, train.

What `train.py` calls in every process.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

from mmdet.config import RunConfig
from mmdet.config.build import build_part
from mmdet.config.checking import find_part
from mmdet.datasets import MixedDataset, VISDataset, make_train_loader
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
from mmdet.engine.inference.dataset import check_validation, validate_model
from mmdet.engine.process.devices import limit_threads, place_model
from mmdet.engine.process.faults import known_fault
from mmdet.engine.process.processes import Ranks
from mmdet.engine.process.randomness import compute_deterministically, seed_everything
from mmdet.engine.training.optimization.optimizers import build_optimizer, scale_learning_rate
from mmdet.engine.training.resume_checks import describe_run
from mmdet.engine.training.steps.compiling import compile_parts
from mmdet.engine.training.trainer import Trainer
from mmdet.engine.training.work_dir import CONFIG as RESOLVED_CONFIG
from mmdet.engine.training.work_dir import check_work_dir, describe_start, files_of, prepare_work_dir
from mmdet.errors import UserError, shown
from mmdet.models.build import build_model
from mmdet.models.detectors.vis_model import VISModel
from mmdet.ops.collectives import barrier, gather_objects
from mmdet.registry import DATASETS

AUTO = "auto"
SHOWN_REASON = 200  # characters of another library's message


def train(
    config: RunConfig,
    ranks: Ranks,
    *,
    work_dir: Path,
    load_from: str | None = None,
    resume_from: str | None = None,
    validate: bool = False,
    trusted: bool = False,
    auto_scale_lr: bool = False,
) -> None:
    """Train as `config` says. Raises UserError before work starts for what does not fit together.

    A run resumes from the checkpoint `resume_from` ("auto": the latest whole one in the work dir, if there is one), or
    starts from the weights `load_from`, or from those that the model's config names as `pretrained`. If `trusted`,
    this file may hold any object (see load_checkpoint). `auto_scale_lr`: see scale_learning_rate.
    """
    if load_from and resume_from:
        raise UserError("--load_from starts a new run and --resume_from goes on with one: give only one of them")
    if config.runtime.deterministic:
        compute_deterministically()
    limit_threads(ranks.device, config.runtime.num_threads)
    notes: list[str] = []
    if auto_scale_lr:
        config, note = scale_learning_rate(config, ranks.world_size)
        notes.append(note)
    about: dict[str, Any] = {}
    if ranks.is_main:
        check_work_dir(work_dir, [load_from, *files_of(config)], new_run=not _goes_on_in(work_dir, resume_from))
        about = describe_start(config) | describe_run(config)
    dataset = build_train_dataset(config)
    check_classes(config, dataset)
    notes += dataset.notes
    if validate and ranks.is_main:
        check_validation(config, dataset.class_names)
    about["class_names"] = list(dataset.class_names)
    seed_everything(config.runtime.seed)  # alike in every process, so that all start from the same weights
    model = place_model(build_model(config), ranks.device)
    if config.runtime.compile and ranks.device.type == "cuda":
        compile_parts(model)
    checkpoint = _checkpoint_to_resume(resume_from, work_dir, ranks, notes)
    if checkpoint is None:
        start = _load_first_weights(model, load_from, trusted, dataset.class_names)
        notes += [start] if start else []
    trainer = _make_trainer(config, ranks, model, dataset, work_dir, about, validate)
    seed_everything(config.runtime.seed + ranks.rank)  # parts that draw do not draw the same everywhere
    trainer.notes += notes
    trainer.config_file = work_dir / RESOLVED_CONFIG
    if checkpoint is not None:
        _resume(trainer, checkpoint, trusted)
    barrier()  # a run that one of the processes refuses leaves nothing in the work dir
    if ranks.is_main:
        prepare_work_dir(work_dir, config, about)
        _note_start(work_dir, checkpoint)
    trainer.run()


def _resume(trainer: Trainer, checkpoint: Path, trusted: bool) -> None:
    """Take up a run. Raises UserError, too, where parts of the checkpoint are not what a run saves."""
    try:
        trainer.resume(checkpoint, trusted)
        if not (type(trainer.step) is int and trainer.step >= 0 and _is_figure(trainer.best)):
            raise TypeError(f"step {shown(trainer.step)}, best figure {shown(trainer.best)}")
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        if known_fault(error) is not None:
            raise
        reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0][:SHOWN_REASON]}"
        raise UserError(
            f"{checkpoint} holds no state of a run that can be taken up ({reason}); "
            "start from its weights by --load_from"
        ) from error


def _is_figure(best: Any) -> bool:
    return best is None or (isinstance(best, int | float) and not math.isnan(best))


def _make_trainer(
    config: RunConfig,
    ranks: Ranks,
    model: VISModel,
    dataset: VISDataset | MixedDataset,
    work_dir: Path,
    about: dict[str, Any],
    validate: bool,
) -> Trainer:
    section = config.data.train
    return Trainer(
        model=model,
        optimizer=build_optimizer(model, config.optimizer),
        loader=make_train_loader(
            dataset,
            section.batch_size,
            section.workers,
            config.runtime.seed,
            ranks.rank,
            ranks.world_size,
            section.max_bad_frames,
        ),
        schedule=config.schedule,
        runtime=config.runtime,
        ranks=ranks,
        work_dir=work_dir,
        about=about,
        max_bad_frames=section.max_bad_frames,
        validate=(lambda: validate_model(model, config, ranks.device, dataset.class_names)) if validate else None,
    )


def build_train_dataset(config: RunConfig) -> VISDataset | MixedDataset:
    """Build the training data: one dataset, or several mixed; all draw from the run's seed but those with their own."""
    section = config.data.train
    datasets: list[VISDataset] = [
        build_part(DATASETS, _seeded(part, config.runtime.seed), f"config.data.train.datasets.{index}")
        for index, part in enumerate(section.datasets)
    ]
    if len(datasets) == 1 and section.ratios is None:
        return datasets[0]
    return MixedDataset(datasets, section.ratios, config.runtime.seed)


def _seeded(part: dict[str, Any], seed: int) -> dict[str, Any]:
    """Return a dataset's config with the run's seed, where the dataset takes one and the config gives none."""
    takes_seed = "seed" in inspect.signature(find_part(part["type"], "config.data.train.datasets")).parameters
    return {"seed": seed, **part} if takes_seed else part


def check_classes(config: RunConfig, dataset: VISDataset | MixedDataset) -> None:
    """Raise UserError unless the model tells apart as many classes as the data has."""
    wanted = config.model.get("head", {}).get("num_classes")
    if wanted is not None and wanted != dataset.num_classes:
        raise UserError(
            f"config.model['head']['num_classes'] is {wanted}, but config.data.train.datasets "
            f"({dataset.ann_file}) has {dataset.num_classes} classes: set it to {dataset.num_classes}"
        )


def _checkpoint_to_resume(resume_from: str | None, work_dir: Path, ranks: Ranks, notes: list[str]) -> Path | None:
    """Return the checkpoint that all processes resume from, as the main one finds it; `notes` gets what it says."""
    found = None
    if ranks.is_main:
        if _goes_on_in(work_dir, resume_from):
            repair_index(work_dir, notes.append)
        if resume_from == AUTO:
            found = latest_whole_checkpoint(work_dir, notes.append)
            if found is None:
                notes.append(f"--resume_from auto: no checkpoint in {work_dir}, so the run starts anew")
        elif resume_from:
            found = Path(resume_from)
            if is_zipfile(found):
                check_whole(found)
    shared: Path | None = gather_objects(found)[0]
    return shared


def _goes_on_in(work_dir: Path, resume_from: str | None) -> bool:
    """Whether the run that is resumed is the one in the work dir, whose files are this one's then."""
    return resume_from is not None and (resume_from == AUTO or Path(resume_from).resolve().parent == work_dir.resolve())


def _note_start(work_dir: Path, checkpoint: Path | None) -> None:
    """Keep the work dir's index of checkpoints in step with where the run starts."""
    remove_leftovers(work_dir)
    if checkpoint is None or checkpoint.resolve().parent != work_dir.resolve():
        forget_checkpoints(work_dir)  # they are of another run
    elif is_checkpoint_name(checkpoint.name):
        make_latest(work_dir, checkpoint.name)


def _load_first_weights(
    model: VISModel, load_from: str | None, trusted: bool, class_names: Sequence[str]
) -> str | None:
    """Load what a new run starts from; return a line that says what it was, None if it starts from nothing."""
    if load_from:
        return start_from(model, read_weights(load_from, trusted), class_names)
    return load_pretrained(model.backbone, trusted)
