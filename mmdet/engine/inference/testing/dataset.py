"""Test on a data set: divide its videos over the ranks, predict, gather the results in data set order, score them.

The figures come from mmdet.evaluation; the callers write the files.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Sequence

from tqdm import tqdm

from mmdet.config import EvalData, RunConfig
from mmdet.config.build import build_part
from mmdet.datasets import VISDataset, make_test_loader
from mmdet.engine.checkpoints.class_names import are_the_same, rows_of
from mmdet.engine.inference.predictor import VideoPredictor
from mmdet.engine.inference.testing.classes import ResultClasses, mapped_classes, same_classes
from mmdet.engine.process.endings import SIGNAL_CODE_BASE, RunEnded
from mmdet.engine.process.signals import StopSignals
from mmdet.errors import UserError, short_list
from mmdet.evaluation.ap.evaluate import evaluate
from mmdet.evaluation.ap.video import IoUType
from mmdet.fileio.annotations.raw_json import load_ground_truth
from mmdet.fileio.categories.given_pairs import read_pairs
from mmdet.fileio.categories.matching import unused_pairs
from mmdet.ops.collectives import gather_objects, rank, world_size
from mmdet.registry import DATASETS
from mmdet.structures import ClipBatch, VideoResult

OnResult = Callable[[VideoResult], None]


def build_test_dataset(section: EvalData, where: str) -> VISDataset:
    """Build a dataset of videos to test on: all frames of all videos, whether or not the config says `test_mode`."""
    dataset: VISDataset = build_part(DATASETS, {**section.dataset, "test_mode": True}, f"{where}.dataset")
    return dataset


def share_videos(lengths: list[int], ranks: int) -> list[list[int]]:
    """Divide videos over ranks so that all have about as many frames.

    Each video, longest first, goes to the shortest share.
    """
    shares: list[list[int]] = [[] for _ in range(ranks)]
    frames = [0] * ranks
    for video in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        least = frames.index(min(frames))
        shares[least].append(video)
        frames[least] += lengths[video]
    return [sorted(share) for share in shares]


def predict_dataset(
    predictor: VideoPredictor,
    dataset: VISDataset,
    section: EvalData,
    on_result: OnResult | None = None,
    only: Sequence[int] | None = None,
    signals: StopSignals | None = None,
) -> list[VideoResult]:
    """Return the results of all videos in data set order on every rank.

    `on_result` gets this rank's own as they finish. `only` are the indices of the videos to predict, None for all.
    Raises RunEnded after the chunk of frames during which `signals` has received a signal.
    """
    wanted = list(range(len(dataset.videos))) if only is None else list(only)
    places = share_videos([len(dataset.videos[index].file_names) for index in wanted], world_size())[rank()]
    share = [wanted[place] for place in places]
    loader = make_test_loader(dataset, share, section.chunk_size, section.workers)
    videos = [dataset.videos[index] for index in share]
    own: dict[int, VideoResult] = {}
    with tqdm(loader, desc="testing", unit="batch", disable=rank() > 0 or None) as batches:
        for index, result in zip(share, predictor.run(_until_stopped(batches, signals), videos), strict=True):
            own[index] = result
            if on_result is not None:
                on_result(result)
    everything = {index: result for part in gather_objects(own) for index, result in part.items()}
    return [everything[index] for index in wanted]


def _until_stopped(batches: Iterable[ClipBatch], signals: StopSignals | None) -> Iterator[ClipBatch]:
    for batch in batches:
        if signals is not None:
            end_if_stopped(signals)
        yield batch


def end_if_stopped(signals: StopSignals) -> None:
    """Raise RunEnded if a stop signal has come."""
    if signals.received:
        name = signal.Signals(signals.received).name
        raise RunEnded(f"stopped by {name}", SIGNAL_CODE_BASE + signals.received)


def category_ids_of(class_names: Sequence[str], dataset: VISDataset) -> list[int]:
    """Return the data set's category ids in the order of a model's classes. Raises UserError if the names differ."""
    rows = rows_of(class_names, dataset.class_names)
    if not are_the_same(class_names, dataset.class_names):
        raise UserError(
            f"{dataset.ann_file} has other classes ({short_list(dataset.class_names)}) than the training data "
            f"({short_list(class_names)}): validate on data of the same classes, named by data.valid, or match them by "
            "--map-categories"
        )
    return [dataset.category_ids[row] for row in rows if row is not None]


def validation_classes(config: RunConfig, class_names: Sequence[str], dataset: VISDataset) -> ResultClasses:
    """Return a model's classes as those of the validation data.

    Without a `map_categories` of its own that of the training data counts, as far as its pairs name categories of the
    validation data. Raises UserError if the names differ and are not to be mapped.
    """
    own = (config.data.valid or config.data.test).map_categories
    given = config.data.train.map_categories if own is None else own
    if given is None or are_the_same(class_names, dataset.class_names):
        return same_classes(class_names, category_ids_of(class_names, dataset), dataset)
    pairs = read_pairs(given)
    foreign = unused_pairs(pairs, dataset.class_names) if own is None else []
    return mapped_classes(class_names, dataset, [pair for pair in pairs if pair not in foreign])


def check_validation(config: RunConfig, class_names: Sequence[str]) -> str:
    """Return the table of mapped categories, "" if none are.

    Raises UserError for what would stop the first validation: a faulty set, no annotations, other classes.
    """
    dataset = build_test_dataset(config.data.valid or config.data.test, "config.data.valid")
    if not dataset.has_annotations:
        raise UserError(
            f"{dataset.ann_file} has no annotations, so validation cannot measure with it: name a set that has some by "
            "data.valid, or leave out --validate"
        )
    classes = validation_classes(config, class_names, dataset)
    check_truth(dataset, ("segm",))
    return classes.table


def check_truth(dataset: VISDataset, iou_types: Iterable[IoUType]) -> None:
    """Read all masks or boxes of a data set. Raises UserError for annotations that the evaluation would refuse."""
    truth = load_ground_truth(dataset.ann_file)
    for iou_type in iou_types:
        evaluate(truth, [], iou_type=iou_type)
