"""Draw training pairs as sheets in a folder, with an index page, and say a line about each."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch

from mmdet.config import RunConfig
from mmdet.datasets import MixedDataset, VISDataset
from mmdet.engine.browsing.lessons import how_points_are_chosen, make_lessons
from mmdet.engine.browsing.pairs import browse_batches
from mmdet.engine.browsing.views import counted, untaught, view_pair
from mmdet.engine.checkpoints.weights import load_weights, read_weights
from mmdet.engine.process.devices import place_model
from mmdet.engine.process.randomness import seed_everything
from mmdet.engine.training.run import build_train_dataset, check_classes
from mmdet.errors import UserError
from mmdet.fileio.atomic import write_text_atomically
from mmdet.fileio.overwriting import check_output_folder, refuse_overwriting
from mmdet.fileio.pictures.drawn_jpeg import is_drawing, refuse_foreign
from mmdet.fileio.pictures.frame_files import frame_path
from mmdet.models.build import build_model
from mmdet.models.detectors.two_stage_model import TwoStageModel
from mmdet.models.detectors.vis_model import VISModel
from mmdet.visualization.contact_sheet import write_sheet
from mmdet.visualization.pairs.sheet import draw_pair
from mmdet.visualization.pairs.views import Line

INDEX = "index.html"
MARK = "<!-- pairs drawn by memcnp-vis -->"
_PAGE = f"""<!doctype html>{MARK}<meta charset="utf-8"><title>Training pairs</title>
<style>body{{font-family:sans-serif}}img{{max-width:100%}}.alarm{{color:#c00000}}</style>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowseOptions:
    """What to draw, and where. `checkpoint`: let this network run; None: one at its start."""

    out: Path
    number: int = 16  # pairs
    seed: int | None = None  # None: the config's
    epoch: int = 0
    split: Literal["train", "test"] = "train"
    checkpoint: str | None = None
    trust_checkpoint: bool = False
    no_ema: bool = False  # take the checkpoint's weights of the last step instead of their moving average
    device: torch.device = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A sheet that was written, and its lines."""

    path: Path
    lines: tuple[Line, ...]
    objects: int
    untaught: int


def browse(config: RunConfig, options: BrowseOptions, say: Callable[[str], None]) -> str:
    """Draw the pairs, `say` lines about them, write the index and return its path and the totals.

    Raises UserError before it writes anything if an output would replace a file that is not from an earlier call.
    """
    check_output_folder(options.out, "--out")
    config = _adapted(config, options)
    dataset = build_train_dataset(config)
    check_classes(config, dataset)
    refuse_overwriting([options.out], _files_read(config, dataset, options))
    refuse_foreign(_sheet(options, number) for number in range(options.number))
    _refuse_foreign_index(options.out / INDEX)
    seed_everything(config.runtime.seed)
    model, about = _model(config, dataset, options)
    for note in (*dataset.notes, about):
        say(note)
    drawn: list[_Drawn] = []
    try:
        for item in _draw_all(config, dataset, model, options, say):
            drawn.append(item)  # what is drawn before an early end is listed
    finally:
        if drawn:
            _remove_older(options, len(drawn))
            write_text_atomically(options.out / INDEX, _page(about, drawn))
    objects, without = sum(item.objects for item in drawn), sum(item.untaught for item in drawn)
    said = f"{counted(len(drawn), 'pair')}, {counted(objects, 'object')}, {without} without any positive point"
    return f"{options.out / INDEX}: {said}"


def _adapted(config: RunConfig, options: BrowseOptions) -> RunConfig:
    """Return the config with the seed, and for the test split with the test set, under its transforms, to train on."""
    if options.seed is not None:
        config = replace(config, runtime=replace(config.runtime, seed=options.seed))
    if options.split == "test":
        masks = any(part.get("reference_masks", False) for part in config.data.train.datasets)
        dataset = {**config.data.test.dataset, "test_mode": False, "reference_masks": masks}
        train = replace(config.data.train, datasets=[dataset], ratios=None)
        config = replace(config, data=replace(config.data, train=train))
    return config


def _model(config: RunConfig, dataset: VISDataset | MixedDataset, options: BrowseOptions) -> tuple[VISModel, str]:
    """Return the model, and a line on how points are chosen. Without a checkpoint it has no weights, only settings."""
    if options.checkpoint is None:
        with torch.device("meta"):
            model = build_model(config)
        _check_points(model)
        return model, how_points_are_chosen(model, None)
    model = build_model(config)
    _check_points(model)
    weights = read_weights(options.checkpoint, options.trust_checkpoint, not options.no_ema)
    said = load_weights(model, weights, dataset.class_names)
    model = place_model(model, options.device)
    return model, f"{how_points_are_chosen(model, options.checkpoint)}; {said[0]}"


def _check_points(model: Any) -> None:
    """Raise UserError for a model whose points learn nothing."""
    if isinstance(model, TwoStageModel):
        raise UserError("a two-stage model learns from boxes, not from points: browse with the config of another model")


def _files_read(config: RunConfig, dataset: VISDataset | MixedDataset, options: BrowseOptions) -> list[str]:
    """Return the files that must not be written over."""
    parts = dataset.datasets if isinstance(dataset, MixedDataset) else [dataset]
    files = [str(options.checkpoint)] if options.checkpoint else []
    for part in parts:
        files.append(part.ann_file)
        files += [frame_path(part.img_prefix, name) for video in part.videos for name in video.file_names]
    return files


def _draw_all(
    config: RunConfig,
    dataset: VISDataset | MixedDataset,
    model: VISModel,
    options: BrowseOptions,
    say: Callable[[str], None],
) -> Iterable[_Drawn]:
    """Draw pairs until there are enough or the epoch ends; say the lines of each."""
    number = 0
    for browsed in browse_batches(config, dataset, options.epoch, say):
        lessons = make_lessons(browsed, model, options.checkpoint is not None)
        for index in range(min(len(browsed.samples), options.number - number)):
            name = f"epoch {options.epoch}, batch {browsed.number}, pair {index}"
            view = view_pair(browsed, lessons, index, name)
            path = _sheet(options, number)
            write_sheet(path, draw_pair(view))
            say(f"{path}: {view.lines[0].text}\n  {view.lines[1].text}")
            valid = int(browsed.batch.truth_of_pairs.valid[index].sum())
            yield _Drawn(path, view.lines, valid, len(untaught(browsed, lessons, index)))
            number += 1
        if number == options.number:
            return


def _sheet(options: BrowseOptions, number: int) -> Path:
    return options.out / f"pair_{number:04d}.jpg"


def _remove_older(options: BrowseOptions, count: int) -> None:
    """Remove the sheets of an earlier call beyond the `count` of this one."""
    kept = {_sheet(options, number) for number in range(count)}
    for path in options.out.glob("pair_*.jpg"):
        if path not in kept and is_drawing(path):
            with suppress(OSError):
                path.unlink()


def _refuse_foreign_index(path: Path) -> None:
    """Raise UserError if the index would replace a file that is no index of this program."""
    if not path.exists():
        return
    if path.is_dir() or MARK.encode() not in path.read_bytes()[: len(_PAGE)]:
        raise UserError(f"{path} is not an index of this program and would be overwritten: choose another folder")


def _page(about: str, drawn: list[_Drawn]) -> str:
    """Return the index: every sheet below its lines."""
    parts = [f"<p>{html.escape(about)}</p>"]
    for item in drawn:
        for line in item.lines[:2]:
            parts.append(f'<p class="{"alarm" if line.alarming else ""}">{html.escape(line.text)}</p>')
        name = html.escape(item.path.name)
        parts.append(f'<a href="{name}"><img loading="lazy" src="{name}" alt="{html.escape(item.lines[0].text)}"></a>')
    return _PAGE + "\n".join(parts) + "\n"
