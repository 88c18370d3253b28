"""Loaders that fetch batches in worker processes: training pairs, and the frames of videos in order."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler

from mmdet.datasets.balance import BalancedItems
from mmdet.datasets.items import ClipDataset
from mmdet.datasets.readable import ReadableClips, ReadableFrames
from mmdet.datasets.samplers import ChunkSampler, PairBatchSampler
from mmdet.datasets.vis_dataset import VISDataset
from mmdet.datasets.workers import signals_held_back, start_worker
from mmdet.structures import ClipBatch, collate_clips

# Workers do not use the GPU, so a fork is safe on Linux. Otherwise a process that was itself spawned (train.py --gpus)
# would spawn its workers one after the other, each importing everything: a dozen take minutes.
# macOS does not bear a fork, Windows has none.
_START_WORKERS_BY = "fork" if sys.platform == "linux" else "spawn"


def make_train_loader(
    dataset: ClipDataset,
    batch_size: int,
    workers: int,
    seed: int,
    rank: int = 0,
    world_size: int = 1,
    max_bad_frames: int = 0,
    repeat_threshold: float | None = None,
) -> DataLoader[ClipBatch]:
    """Return a loader of training batches; set its epoch by `loader.batch_sampler.set_position`.

    `dataset`: the training items; `batch_size`: pairs per process; `workers`: loading processes of this process
    `seed`: decides, with the epoch, the order of the items; `rank`, `world_size`: this process among all
    `max_bad_frames`: pairs with an unreadable frame are replaced, at most so many times (see ReadableClips)
    `repeat_threshold`: classes in a smaller share of the videos come more often (see BalancedItems)
    """
    items = dataset if repeat_threshold is None else BalancedItems(dataset, repeat_threshold, seed)
    sampler = PairBatchSampler(items, batch_size, seed, rank, world_size)
    return _make_loader(ReadableClips(dataset, seed, max_bad_frames), sampler, workers, persistent=True)


def make_test_loader(
    dataset: VISDataset, video_indices: Sequence[int], chunk_size: int, workers: int
) -> DataLoader[ClipBatch]:
    """Return a loader of the frames of videos in order.

    A batch is up to `chunk_size` consecutive frames of one video (B = frames, T = 1). Unreadable frames are named in
    the batch's `bad_frames` (see ReadableFrames).
    """
    sampler = ChunkSampler(dataset, video_indices, chunk_size)
    return _make_loader(ReadableFrames(dataset), sampler, workers, persistent=False)


class _Loader(DataLoader[ClipBatch]):
    """A loader whose workers ignore all signals except their parent's, from their start on."""

    def __iter__(self) -> Any:
        """Start the workers, or restart their iteration."""
        with signals_held_back():
            return super().__iter__()


def _make_loader(dataset: object, sampler: Sampler, workers: int, persistent: bool) -> DataLoader[ClipBatch]:
    return _Loader(
        dataset,  # type: ignore[arg-type]  # anything with __getitem__ works
        batch_sampler=sampler,
        num_workers=workers,
        multiprocessing_context=_START_WORKERS_BY if workers else None,
        collate_fn=collate_clips,
        pin_memory=torch.cuda.is_available(),
        persistent_workers=persistent and workers > 0,
        worker_init_fn=start_worker,
        generator=torch.Generator(),  # its own: torch's global generator stays untouched, so a resumed run repeats
    )
