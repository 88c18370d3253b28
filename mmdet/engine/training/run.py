"""From a config to a run: prepare the process, check the input, assemble the trainer, go to the starting point, train.

`train.py` calls it in every process.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from mmdet.config import RunConfig, RuntimeSection
from mmdet.config.build import build_part
from mmdet.config.checking import find_part
from mmdet.datasets import MixedDataset, VISDataset, make_train_loader
from mmdet.datasets.balance import BalancedItems
from mmdet.datasets.items import clip_length_of
from mmdet.engine.inference.testing.dataset import check_validation
from mmdet.engine.process.devices import limit_threads, place_model
from mmdet.engine.process.processes import Ranks
from mmdet.engine.process.randomness import compute_deterministically, seed_everything
from mmdet.engine.training.hooks.early_stop import EarlyStop
from mmdet.engine.training.logs.sinks import check_loggers
from mmdet.engine.training.optimization.described import describe_optimization
from mmdet.engine.training.optimization.optimizers import build_optimizer, scale_learning_rate
from mmdet.engine.training.resuming.starting_point import StartingPoint, StartRequest, find_starting_point
from mmdet.engine.training.run_about import RunAbout, describe_run
from mmdet.engine.training.setup import TrainSetup
from mmdet.engine.training.steps.compiling import compile_parts
from mmdet.engine.training.trainer import Trainer
from mmdet.engine.training.validation import validate_model
from mmdet.engine.training.work_dir import CONFIG as RESOLVED_CONFIG
from mmdet.engine.training.work_dir import check_work_dir, files_of, prepare_work_dir
from mmdet.errors import UserError, suggestion
from mmdet.fileio.categories.given_pairs import read_pairs
from mmdet.fileio.categories.matching import unused_pairs
from mmdet.models.build import build_model
from mmdet.models.detectors.vis_model import VISModel
from mmdet.ops.collectives import barrier, gather_objects
from mmdet.registry import DATASETS, HOOKS


def train(
    config: RunConfig,
    ranks: Ranks,
    *,
    work_dir: Path,
    start: StartRequest,
    validate: bool = False,
    auto_scale_lr: bool = False,
) -> None:
    """Train as `config` says. Raises UserError before work starts if config, data and options do not fit together.

    `auto_scale_lr`: see scale_learning_rate.
    """
    prepare_process(config.runtime, ranks.device)
    if ranks.is_main:
        check_loggers(config.runtime.loggers)
    if config.runtime.early_stop is not None and not validate:
        raise UserError("config.runtime.early_stop looks at validations: train with --validate, or set it to None")
    notes: list[str] = []
    if auto_scale_lr:
        config, note = scale_learning_rate(config, ranks.world_size)
        notes.append(note)
    about = RunAbout()
    if ranks.is_main:
        check_work_dir(work_dir, [start.load_from, *files_of(config)], new_run=not start.goes_on_in(work_dir))
        about = describe_run(config)
    dataset = build_train_dataset(config)
    check_classes(config, dataset)
    table = check_validation(config, dataset.class_names) if validate and ranks.is_main else ""
    about = replace(about, class_names=tuple(dataset.class_names), category_ids=tuple(map(int, dataset.category_ids)))
    trainer = assemble_trainer(config, ranks, dataset, about, work_dir, validate)
    point = _shared_starting_point(start, work_dir, ranks)
    tables = [table] if table else []
    notes += [*dataset.notes, *tables, *balance_notes(trainer, dataset), *point.take_up(trainer)]
    notes += describe_optimization(trainer.model, trainer.optimizer, config)
    barrier()  # if one of the processes refuses the run, nothing is left in the work dir
    if ranks.is_main:
        prepare_work_dir(work_dir, config, about)
        point.note_in(work_dir)
    trainer.run(notes)


def prepare_process(runtime: RuntimeSection, device: torch.device) -> None:
    """Set up how this process computes, before its device is used. Generators are seeded when a model is built."""
    if runtime.deterministic:
        compute_deterministically()
    limit_threads(device, runtime.num_threads)


def assemble_trainer(
    config: RunConfig,
    ranks: Ranks,
    dataset: VISDataset | MixedDataset,
    about: RunAbout,
    work_dir: Path,
    validate: bool,
) -> Trainer:
    """Build a model with initial weights and everything needed to train it on `dataset`. Seed the generators."""
    section, seed = config.data.train, config.runtime.seed
    model = _build_seeded_model(config, ranks.device)
    check_clips(model, dataset)
    class_names = dataset.class_names
    setup = TrainSetup(
        model=model,
        optimizer=build_optimizer(model, config.optimizer),
        loader=make_train_loader(
            dataset,
            section.batch_size,
            section.workers,
            seed,
            ranks.rank,
            ranks.world_size,
            section.max_bad_frames,
            section.repeat_threshold,
        ),
        schedule=config.schedule,
        runtime=config.runtime,
        ema=config.ema,
        hooks=_hooks(config),
        ranks=ranks,
        work_dir=work_dir,
        about=about,
        max_bad_frames=section.max_bad_frames,
        config_file=work_dir / RESOLVED_CONFIG,
        validate=partial(validate_model, config=config, device=ranks.device, class_names=class_names)
        if validate
        else None,
    )
    trainer = Trainer(setup)
    seed_everything(seed + ranks.rank)  # random parts of the model draw differently on every rank
    return trainer


def _hooks(config: RunConfig) -> list[Any]:
    """Build the hooks of the config, and the one that stops early behind them."""
    parts = enumerate(config.custom_hooks)
    hooks = [build_part(HOOKS, part, f"config.custom_hooks.{index}") for index, part in parts]
    if config.runtime.early_stop is not None:
        hooks.append(EarlyStop(config.runtime.early_stop))
    return hooks


def _build_seeded_model(config: RunConfig, device: torch.device) -> VISModel:
    """Build the same model in every process, so that all start from the same weights."""
    seed_everything(config.runtime.seed)
    model = place_model(build_model(config), device)
    if config.runtime.compile and device.type == "cuda":
        compile_parts(model)
    return model


def _shared_starting_point(request: StartRequest, work_dir: Path, ranks: Ranks) -> StartingPoint:
    """Return the starting point that the main process found, in all processes."""
    found = find_starting_point(request, work_dir) if ranks.is_main else StartingPoint()
    return gather_objects(found)[0]


def build_train_dataset(config: RunConfig) -> VISDataset | MixedDataset:
    """Build the training data: one dataset or several mixed. Datasets without their own seed use the run's seed.

    With `map_categories` those that name no classes of their own get the classes of the first.
    """
    section = config.data.train
    datasets: list[VISDataset] = []
    for index, part in enumerate(section.datasets):
        names = None if section.map_categories is None or not datasets else datasets[0].class_names
        mapped = _mapped(part, names, section.map_categories)
        where = f"config.data.train.datasets.{index}"
        datasets.append(build_part(DATASETS, _seeded(mapped, config.runtime.seed), where))
    if section.map_categories:
        _check_pairs(datasets, section.map_categories)
    if len(datasets) == 1 and section.ratios is None:
        return datasets[0]
    return MixedDataset(datasets, section.ratios, config.runtime.seed)


def _mapped(part: dict[str, Any], names: Sequence[str] | None, pairs: Sequence[str] | None) -> dict[str, Any]:
    """Return a dataset's config with the classes `names`, unless it names its own, and with the pairs to find them."""
    if pairs is None or (names is None and "categories" not in part):
        return part
    own = part.get("categories", names)
    own = own if isinstance(own, dict) else {"names": own}
    return {**part, "categories": {**own, "pairs": [*own.get("pairs", ()), *pairs]}}


def _check_pairs(datasets: Sequence[VISDataset], pairs: Sequence[str]) -> None:
    """Raise UserError for a pair whose first name no dataset has: it would change nothing."""
    known = [name for dataset in datasets for name in getattr(dataset, "file_class_names", dataset.class_names)]
    for pair in unused_pairs(read_pairs(pairs), known):
        hint = suggestion(pair.of_set, known)
        raise UserError(f"--map-categories: no training set has a category {pair.of_set!r}; {hint}")


def _seeded(part: dict[str, Any], seed: int) -> dict[str, Any]:
    """Return a dataset's config with the run's seed if the dataset takes a seed and the config gives none."""
    takes_seed = "seed" in inspect.signature(find_part(part["type"], "config.data.train.datasets")).parameters
    return {"seed": seed, **part} if takes_seed else part


def balance_notes(trainer: Trainer, dataset: VISDataset | MixedDataset) -> list[str]:
    """Return what is said of frames that come more than once in an epoch."""
    sampler: Any = trainer.loader.batch_sampler
    return [sampler.dataset.describe(dataset.class_names)] if isinstance(sampler.dataset, BalancedItems) else []


def check_clips(model: VISModel, dataset: VISDataset | MixedDataset) -> None:
    """Raise UserError if the model learns from another number of frames, or from masks that are not read."""
    wanted, given = getattr(model, "clip_length", None), clip_length_of(dataset)
    if wanted is not None and wanted != given:
        raise UserError(
            f"config.data.train.datasets: clip_length is {given}, but {type(model).__name__} learns from clips of "
            f"{wanted} frames: set clip_length={wanted}, or train a PlusModel, which takes any number"
        )
    if getattr(model, "learns_all_frames", False) and not getattr(dataset, "reference_masks", True):
        raise UserError(
            f"config.data.train.datasets: {type(model).__name__} learns from all frames of a clip: set "
            "reference_masks=True in every data set"
        )
    if getattr(model, "learns_whole_masks", False) and not getattr(dataset, "whole_masks", True):
        raise UserError(
            f"config.data.train.datasets: {type(model).__name__} learns from parts of masks at full size: set "
            "whole_masks=True in every data set"
        )


def check_classes(config: RunConfig, dataset: VISDataset | MixedDataset) -> None:
    """Raise UserError unless the model has as many classes as the data."""
    wanted = config.model.get("head", {}).get("num_classes")
    if wanted is not None and wanted != dataset.num_classes:
        raise UserError(
            f"config.model['head']['num_classes'] is {wanted}, but config.data.train.datasets "
            f"({dataset.ann_file}) has {dataset.num_classes} classes: set it to {dataset.num_classes}"
        )
