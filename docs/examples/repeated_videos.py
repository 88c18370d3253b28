"""A data set: pairs of frames for training. Here those of a small annotation file, several times in an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mmdet.config.ranges import Count, Seed
from mmdet.datasets import ItemKey, VISDataset
from mmdet.registry import DATASETS
from mmdet.structures import ClipSample


@DATASETS.register_module()
class RepeatedVideos:
    """Every frame `times` times in an epoch, with other draws each time; made of another set, not a kind of it."""

    def __init__(
        self, ann_file: str, img_prefix: str, transforms: Sequence[dict[str, Any]], times: Count = 2, seed: Seed = 0
    ) -> None:
        self.once = VISDataset(ann_file, img_prefix, transforms, seed=seed)
        self.times = times
        self.aspect_groups = np.tile(self.once.aspect_groups, times)  # batches hold frames of one shape
        self.ann_file, self.class_names = self.once.ann_file, self.once.class_names
        self.category_ids, self.num_classes = self.once.category_ids, self.once.num_classes
        self.has_annotations, self.notes = self.once.has_annotations, self.once.notes

    def __len__(self) -> int:
        return self.times * len(self.once)

    def __getitem__(self, key: ItemKey) -> ClipSample:
        """Return the pair that a key names: all chance in it comes from the key and the seed."""
        turn, index = divmod(key.index, len(self.once))
        return self.once[replace(key, index=index, repeat=key.repeat * self.times + turn)]

    def epoch_items(self, epoch: int) -> np.ndarray:
        """Return the items of an epoch: all of them."""
        return np.arange(len(self))
