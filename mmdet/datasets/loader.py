"""Batches: which items form one, in which order, on which rank, and the loaders that fetch them.

The order is a function of (seed, epoch) alone.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from mmdet.datasets.bad_frames import ReadableClips, ReadableFrames
from mmdet.datasets.items import ClipDataset, ItemKey
from mmdet.datasets.vis_dataset import VISDataset
from mmdet.datasets.workers import signals_held_back, start_worker
from mmdet.structures import ClipBatch, collate_clips

# Workers touch no GPU, so a fork is safe. A process that was itself spawned (train.py --gpus) would spawn its workers
# else, one after the other, each importing everything: a dozen take minutes.
_CAN_FORK = "fork" in multiprocessing.get_all_start_methods()


class PairBatchSampler(Sampler[list[ItemKey]]):
    """Batches of items of one aspect group, `batch_size` on each of `world_size` ranks.

    An epoch's items are shuffled, divided by aspect group into global batches of batch_size * world_size, and these
    are shuffled; rank r takes the r-th slice of each. So n ranks see together what one rank with n times the batch
    sees. The last batch of a group is filled up by repeating items from the group's start, so that all ranks have
    the same number of full batches. The position is read whenever an iteration begins.
    """

    def __init__(self, dataset: ClipDataset, batch_size: int, seed: int, rank: int = 0, world_size: int = 1) -> None:
        self.dataset, self.batch_size, self.seed = dataset, batch_size, seed
        self.rank, self.world_size = rank, world_size
        self._groups = dataset.aspect_groups
        self.set_position(0)

    def set_position(self, epoch: int, skip_batches: int = 0) -> None:
        """Let the next iteration start in `epoch` after its first `skip_batches` batches."""
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
        """(batches, batch_size * world_size) item indices of an epoch."""
        rng = np.random.default_rng([self.seed, epoch])
        order = rng.permutation(self.dataset.epoch_items(epoch))
        batches = []
        for group in np.unique(self._groups[order]):
            items = order[self._groups[order] == group]
            count = -(-len(items) // self._global_size)
            batches.append(np.resize(items, (count, self._global_size)))  # repeats the items from the start
        return rng.permutation(np.concatenate(batches))


class VideoFrame(NamedTuple):
    """Positions of a video in its dataset and of a frame in the video."""

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


def make_train_loader(
    dataset: ClipDataset,
    batch_size: int,
    workers: int,
    seed: int,
    rank: int = 0,
    world_size: int = 1,
    max_bad_frames: int = 0,
) -> DataLoader[ClipBatch]:
    """Return a loader of training batches; set its epoch by `loader.batch_sampler.set_position`.

    Pairs with a frame that cannot be read are replaced, as often as `max_bad_frames` (see ReadableClips).
    """
    sampler = PairBatchSampler(dataset, batch_size, seed, rank, world_size)
    return _make_loader(ReadableClips(dataset, seed, max_bad_frames), sampler, workers, persistent=True)


def make_test_loader(
    dataset: VISDataset, video_indices: Sequence[int], chunk_size: int, workers: int
) -> DataLoader[ClipBatch]:
    """Return a loader of up to `chunk_size` consecutive frames of one video a batch (B = frames, T = 1), in order.

    Frames that cannot be read are named in the batch's `bad_frames` (see ReadableFrames).
    """
    sampler = ChunkSampler(dataset, video_indices, chunk_size)
    return _make_loader(ReadableFrames(dataset), sampler, workers, persistent=False)


class _Loader(DataLoader[ClipBatch]):
    """A loader whose workers heed no signal but their parent's, from their first moment on."""

    def __iter__(self) -> Any:
        """Start the workers, or let them start over."""
        with signals_held_back():
            return super().__iter__()


def _make_loader(dataset: object, sampler: Sampler, workers: int, persistent: bool) -> DataLoader[ClipBatch]:
    return _Loader(
        dataset,  # type: ignore[arg-type]  # anything with __getitem__ serves
        batch_sampler=sampler,
        num_workers=workers,
        multiprocessing_context="fork" if workers and _CAN_FORK else None,
        collate_fn=collate_clips,
        pin_memory=torch.cuda.is_available(),
        persistent_workers=persistent and workers > 0,
        worker_init_fn=start_worker,
        generator=torch.Generator(),  # its own: torch's global generator stays untouched, so a resumed run repeats
    )


def _occurrences(values: np.ndarray) -> np.ndarray:
    """Count for every value how often it occurs before its position."""
    order = np.argsort(values, kind="stable")
    ranks = np.arange(len(values))
    is_first = np.append(True, values[order][1:] != values[order][:-1])
    occurrences = np.empty_like(ranks)
    occurrences[order] = ranks - np.maximum.accumulate(np.where(is_first, ranks, 0))
    return occurrences
