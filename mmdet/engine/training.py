"""From a config to a run: build data, model, optimiser and trainer, find the weights to start from, train.

What `train.py` calls in every process. Knows nothing of command lines.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from mmdet.config import RunConfig, UserError
from mmdet.datasets import MixedDataset, VISDataset, make_train_loader
from mmdet.engine.checkpoint import forget_checkpoints, latest_checkpoint, load_weights, read_weights
from mmdet.engine.distributed import Ranks, place
from mmdet.engine.optim import build_optimizer
from mmdet.engine.pretrained import load_pretrained
from mmdet.engine.randomness import seed_everything
from mmdet.engine.testing import validate_model
from mmdet.engine.trainer import Trainer
from mmdet.engine.work_dir import prepare_work_dir
from mmdet.models.build import build_model, build_part
from mmdet.models.vis_model import VISModel
from mmdet.registry import DATASETS

AUTO = "auto"


def train(
    config: RunConfig,
    ranks: Ranks,
    *,
    work_dir: Path,
    load_from: str | None = None,
    resume_from: str | None = None,
    validate: bool = False,
    trusted: bool = False,
) -> None:
    """Train as `config` says. Raises UserError before work starts for what does not fit together.

    A run resumes from the checkpoint `resume_from` ("auto": the latest in the work dir, if there is one), or starts
    from the weights `load_from`, or from those that the model's config names as `pretrained`. If `trusted`, this
    file may hold any object (see load_checkpoint).
    """
    if load_from and resume_from:
        raise UserError("--load_from starts a new run and --resume_from goes on with one: give only one of them")
    if config.runtime.num_threads is not None:
        torch.set_num_threads(config.runtime.num_threads)
    about: dict[str, Any] = {}
    if ranks.is_main:
        about = {"environment": prepare_work_dir(work_dir, config), "config": config.source.pretty_text}
    dataset = build_train_dataset(config)
    check_classes(config, dataset)
    about["class_names"] = list(dataset.class_names)
    seed_everything(config.runtime.seed)  # alike in every process, so that all start from the same weights
    model = place(build_model(config), ranks.device)
    checkpoint = _checkpoint_to_resume(resume_from, work_dir)
    if checkpoint is None:
        start = _load_first_weights(model, load_from, trusted)
        if ranks.is_main and start:
            print(start, flush=True)  # noqa: T201
    section = config.data.train
    trainer = Trainer(
        model=model,
        optimizer=build_optimizer(model, config.optimizer),
        loader=make_train_loader(
            dataset, section.batch_size, section.workers, config.runtime.seed, ranks.rank, ranks.world_size
        ),
        schedule=config.schedule,
        runtime=config.runtime,
        ranks=ranks,
        work_dir=work_dir,
        about=about,
        validate=(lambda: validate_model(model, config, ranks.device)) if validate else None,
    )
    if checkpoint is not None:
        trainer.resume(checkpoint, trusted)
    else:
        seed_everything(config.runtime.seed + ranks.rank)  # parts that draw do not draw the same everywhere
        if ranks.is_main:
            forget_checkpoints(work_dir)
    trainer.run()


def build_train_dataset(config: RunConfig) -> VISDataset | MixedDataset:
    """Build the training data: one dataset, or several mixed."""
    section = config.data.train
    datasets: list[VISDataset] = [
        build_part(DATASETS, part, f"config.data.train.datasets.{index}") for index, part in enumerate(section.datasets)
    ]
    if len(datasets) == 1 and section.ratios is None:
        return datasets[0]
    return MixedDataset(datasets, section.ratios, config.runtime.seed)


def check_classes(config: RunConfig, dataset: VISDataset | MixedDataset) -> None:
    """Raise UserError unless the model tells apart as many classes as the data has."""
    wanted = config.model.get("head", {}).get("num_classes")
    if wanted is not None and wanted != dataset.num_classes:
        raise UserError(
            f"config.model['head']['num_classes'] is {wanted}, but config.data.train.datasets "
            f"({dataset.ann_file}) has {dataset.num_classes} classes: set it to {dataset.num_classes}"
        )


def _checkpoint_to_resume(resume_from: str | None, work_dir: Path) -> Path | None:
    if resume_from == AUTO:
        return latest_checkpoint(work_dir)
    return Path(resume_from) if resume_from else None


def _load_first_weights(model: VISModel, load_from: str | None, trusted: bool) -> str | None:
    """Load what a new run starts from; return a line that says what it was, None if it starts from nothing."""
    if load_from:
        weights = read_weights(load_from, trusted)
        load_weights(model, weights.tensors, load_from)
        return weights.origin
    return load_pretrained(model.backbone, trusted)
