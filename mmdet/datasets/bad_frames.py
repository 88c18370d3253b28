"""What becomes of frames that cannot be read: tried again, then replaced, so that whoever asks can count them.

A substitute is a function of what was asked for, never of a worker: a run that resumes draws the same. Knows nothing of
files or of how many bad frames a run puts up with in all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch
from torch.utils.data import Dataset

from mmdet.datasets.items import ClipDataset, ItemKey
from mmdet.errors import FrameError
from mmdet.structures import ClipSample, FrameMeta, FrameTruth

Result = TypeVar("Result")

RETRY_PAUSE_S = 0.5  # in which a network file system may come back
_BLANK_SIZE = (32, 32)


def read_patiently(read: Callable[[], Result]) -> Result:
    """Return what `read` returns, at the second attempt if the first raises FrameError."""
    try:
        return read()
    except FrameError:
        time.sleep(RETRY_PAUSE_S)
        return read()


class ReadableClips(Dataset[ClipSample]):
    """Training clips by their keys. One with a frame that cannot be read is replaced by another of its aspect group.

    The sample then names the frames in `bad_frames`. After `most` substitutes that are no better it is blank, and
    names more than `most`: a run that puts up with so many has to end.
    """

    def __init__(self, dataset: ClipDataset, seed: int, most: int) -> None:
        self.dataset, self.seed, self.most = dataset, seed, most
        self._groups = dataset.aspect_groups

    def __getitem__(self, key: ItemKey) -> ClipSample:
        bad: list[str] = []
        asked = key
        while True:
            try:
                # the pause once a sample: a file system that is away shows at the first
                sample = self.dataset[asked] if bad else read_patiently(lambda: self.dataset[key])
            except FrameError as error:
                bad.append(str(error))
                if len(bad) > self.most:
                    return _blank(tuple(bad))
                asked = self._substitute(key, len(bad))
            else:
                return replace(sample, bad_frames=tuple(bad)) if bad else sample

    def _substitute(self, key: ItemKey, attempt: int) -> ItemKey:
        rng = np.random.default_rng([self.seed, key.epoch, key.index, key.repeat, attempt])
        alike = np.flatnonzero(self._groups == self._groups[key.index])
        return replace(key, index=int(alike[rng.integers(len(alike))]))


def _blank(bad_frames: tuple[str, ...]) -> ClipSample:
    """Return a pair that shows nothing."""
    meta = FrameMeta(video_id=-1, frame_index=0, original_size=_BLANK_SIZE, input_size=_BLANK_SIZE, scale=1.0)
    return ClipSample(
        images=torch.zeros(2, 3, *_BLANK_SIZE, dtype=torch.uint8),
        truths=(FrameTruth.empty(_BLANK_SIZE), FrameTruth.empty(_BLANK_SIZE)),
        metas=(meta, meta),
        reference_jitter=torch.zeros(0, 4),
        bad_frames=bad_frames,
    )
