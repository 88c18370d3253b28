"""The training pairs of an epoch in the order of training, through its dataset, sampler, transforms and collation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmdet.config import RunConfig
from mmdet.datasets import MixedDataset, VISDataset, make_train_loader
from mmdet.datasets.items import ItemKey, clip_length_of
from mmdet.engine.training.bad_frames import BadFrames
from mmdet.errors import UserError
from mmdet.structures import ClipBatch, ClipSample


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowsedBatch:
    """A batch as the model gets it, and where its B pairs come from."""

    number: int  # of the batch in its epoch
    batch: ClipBatch
    samples: tuple[ClipSample, ...]  # B, before they were padded to one size
    sources: tuple[VISDataset, ...]  # B


def browse_batches(
    config: RunConfig, dataset: VISDataset | MixedDataset, epoch: int, say: Callable[[str], None]
) -> Iterator[BrowsedBatch]:
    """Yield the batches of one process of an epoch.

    Of unreadable frames it says what training says. Raises UserError where they end training.
    """
    remembering = _Remembering(dataset)
    section, bad_frames = config.data.train, BadFrames(config.data.train.max_bad_frames)
    loader = make_train_loader(
        remembering,
        section.batch_size,
        0,
        config.runtime.seed,
        max_bad_frames=section.max_bad_frames,
        repeat_threshold=section.repeat_threshold,
    )
    sampler: Any = loader.batch_sampler  # a PairBatchSampler
    clips: Any = loader.dataset
    collate: Any = loader.collate_fn
    sampler.set_position(epoch)
    for number, keys in enumerate(sampler):
        samples, sources = [], []
        for key in keys:
            samples.append(clips[key])
            sources.append(remembering.source)
        batch: ClipBatch = collate(samples)
        fault = bad_frames.meet([batch], say)
        if fault is not None:
            raise UserError(fault)
        yield BrowsedBatch(number=number, batch=batch, samples=tuple(samples), sources=tuple(sources))


class _Remembering:
    """A training set that remembers from which dataset the last sample came: an unreadable pair has a substitute."""

    def __init__(self, dataset: VISDataset | MixedDataset) -> None:
        self.dataset = dataset
        self.aspect_groups, self.clip_length = dataset.aspect_groups, clip_length_of(dataset)
        self.source = dataset.datasets[0] if isinstance(dataset, MixedDataset) else dataset

    @property
    def item_classes(self) -> list[frozenset[int]]:
        return self.dataset.item_classes

    @property
    def item_videos(self) -> np.ndarray:
        return self.dataset.item_videos

    def epoch_items(self, epoch: int) -> np.ndarray:
        return self.dataset.epoch_items(epoch)

    def __getitem__(self, key: ItemKey) -> ClipSample:
        if isinstance(self.dataset, MixedDataset):
            self.source = self.dataset.locate(key.index)[0]
        return self.dataset[key]
