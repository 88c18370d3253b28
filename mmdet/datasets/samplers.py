"""Choose the items of each batch, their order and their rank, as a function of (seed, epoch) only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from torch.utils.data import Sampler

from mmdet.datasets.items import ItemKey, OrderedItems
from mmdet.datasets.vis_dataset import VISDataset


class PairBatchSampler(Sampler[list[ItemKey]]):
    """Batches of items of one aspect group, `batch_size` on each of `world_size` ranks.

    The items of an epoch are shuffled and divided by aspect group into global batches of batch_size * world_size. These
    are shuffled, and rank r takes the r-th slice of each. So n ranks together see the same as one rank with n times the
    batch size. The last batch of a group is filled by repeating items from the group's start, so that all ranks have
    the same number of full batches. The position is read whenever an iteration begins.
    """

    def __init__(self, dataset: OrderedItems, batch_size: int, seed: int, rank: int = 0, world_size: int = 1) -> None:
        self.dataset, self.batch_size, self.seed = dataset, batch_size, seed
        self.rank, self.world_size = rank, world_size
        self._groups = dataset.aspect_groups
        self.set_position(0)

    def set_position(self, epoch: int, skip_batches: int = 0) -> None:
        """Make the next iteration start in `epoch`, after its first `skip_batches` batches."""
        self._epoch, self._skip_batches = epoch, skip_batches

    def __len__(self) -> int:
        """Return the number of batches of a whole epoch, the same for all epochs and ranks."""
        counts = np.bincount(self._groups[self.dataset.epoch_items(self._epoch)])
        return int(sum(-(-count // self._global_size) for count in counts))

    def __iter__(self) -> Iterator[list[ItemKey]]:
        """Yield this rank's batches from the position on."""
        epoch = self._epoch
        batches = self._global_batches(epoch)
        repeats = _occurrences(batches.ravel()).reshape(batches.shape)
        mine = slice(self.rank * self.batch_size, (self.rank + 1) * self.batch_size)
        for items, turns in zip(batches[self._skip_batches :, mine], repeats[self._skip_batches :, mine], strict=True):
            yield [ItemKey(epoch, int(item), int(turn)) for item, turn in zip(items, turns, strict=True)]

    @property
    def _global_size(self) -> int:
        return self.batch_size * self.world_size

    def _global_batches(self, epoch: int) -> np.ndarray:
        """Return the item indices of an epoch (batches, batch_size * world_size)."""
        rng = np.random.default_rng([self.seed, epoch])
        order = rng.permutation(self.dataset.epoch_items(epoch))
        batches = []
        for group in np.unique(self._groups[order]):
            items = order[self._groups[order] == group]
            count = -(-len(items) // self._global_size)
            batches.append(np.resize(items, (count, self._global_size)))  # repeats the items from the start
        return rng.permutation(np.concatenate(batches))


class VideoFrame(NamedTuple):
    """The index of a video in its dataset and of a frame in the video."""

    video_index: int
    frame_index: int


class ChunkSampler(Sampler[list[VideoFrame]]):
    """The frames of videos in order, in chunks of at most `chunk_size` consecutive frames of one video."""

    def __init__(self, dataset: VISDataset, video_indices: Sequence[int], chunk_size: int) -> None:
        lengths = [(video, len(dataset.videos[video].file_names)) for video in video_indices]
        self._chunks = [
            [VideoFrame(video, frame) for frame in range(start, min(start + chunk_size, length))]
            for video, length in lengths
            for start in range(0, length, chunk_size)
        ]

    def __len__(self) -> int:
        return len(self._chunks)

    def __iter__(self) -> Iterator[list[VideoFrame]]:
        """Yield the chunks of all videos."""
        return iter(self._chunks)


def _occurrences(values: np.ndarray) -> np.ndarray:
    """Count for every value how often it occurs before its position."""
    order = np.argsort(values, kind="stable")
    ranks = np.arange(len(values))
    is_first = np.append(True, values[order][1:] != values[order][:-1])
    occurrences = np.empty_like(ranks)
    occurrences[order] = ranks - np.maximum.accumulate(np.where(is_first, ranks, 0))
    return occurrences
