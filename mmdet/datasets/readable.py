"""Frames that cannot be read: they are tried again, then replaced and named in the sample so that they can be counted.

A substitute depends only on the requested item, never on the worker, so that a resumed run draws the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch
from torch.utils.data import Dataset

from mmdet.datasets.items import ClipDataset, ItemKey, clip_length_of
from mmdet.datasets.vis_dataset import VISDataset
from mmdet.errors import FrameError
from mmdet.structures import ClipSample, FrameMeta, FrameTruth

Result = TypeVar("Result")

RETRY_PAUSE_S = 0.5  # time for a network file system to come back
_BLANK_SIZE = (32, 32)
_LOOK_BACK = 8  # at most so many frames before a bad one may replace it


def read_patiently(read: Callable[[], Result], pause: bool = True) -> Result:
    """Return what `read` returns. If it raises FrameError, try once more, with `pause` after a moment."""
    try:
        return read()
    except FrameError:
        if pause:
            time.sleep(RETRY_PAUSE_S)
        return read()


class ReadableClips(Dataset[ClipSample]):
    """Training clips by their keys. A clip with an unreadable frame is replaced by another of its aspect group.

    The sample then names the frames in `bad_frames`. After `most` substitutes that are unreadable too it is blank and
    names more than `most` frames, so that the run ends.
    """

    def __init__(self, dataset: ClipDataset, seed: int, most: int) -> None:
        self.dataset, self.seed, self.most = dataset, seed, most
        self._groups = dataset.aspect_groups

    def __getitem__(self, key: ItemKey) -> ClipSample:
        bad: list[str] = []
        asked = key
        while True:
            try:
                # pause only once per sample: an absent file system shows at the first attempt
                sample = self.dataset[asked] if bad else read_patiently(lambda: self.dataset[key])
            except FrameError as error:
                bad.append(str(error))
                if len(bad) > self.most:
                    blank = _blank(tuple(bad), clip_length_of(self.dataset))
                    return replace(blank, whole_masks=getattr(self.dataset, "whole_masks", False))
                asked = self._substitute(key, len(bad))
            else:
                return replace(sample, bad_frames=tuple(bad)) if bad else sample

    def _substitute(self, key: ItemKey, attempt: int) -> ItemKey:
        rng = np.random.default_rng([self.seed, key.epoch, key.index, key.repeat, attempt])
        alike = np.flatnonzero(self._groups == self._groups[key.index])
        return replace(key, index=int(alike[rng.integers(len(alike))]))


class ReadableFrames(Dataset[ClipSample]):
    """The frames of videos, (video index, frame index), to test on.

    An unreadable frame is named in `bad_frames` and replaced by an earlier frame, so that a network that looks back
    sees a continuous video. The tracker must leave out its detections.
    """

    def __init__(self, dataset: VISDataset) -> None:
        self.dataset = dataset
        self._had_pause = False  # since the last good frame: an absent file system shows at the first attempt

    def __getitem__(self, frame: tuple[int, int]) -> ClipSample:
        try:
            sample = read_patiently(lambda: self.dataset.test_sample(*frame), pause=not self._had_pause)
        except FrameError as error:
            self._had_pause = True
            return replace(self._stand_in(*frame), bad_frames=(str(error),))
        self._had_pause = False
        return sample

    def _stand_in(self, video_index: int, frame_index: int) -> ClipSample:
        for earlier in range(frame_index - 1, max(frame_index - 1 - _LOOK_BACK, -1), -1):
            with suppress(FrameError):
                sample = self.dataset.test_sample(video_index, earlier)
                return replace(sample, metas=(replace(sample.metas[0], frame_index=frame_index),))
        return self.dataset.blank_sample(video_index, frame_index)


def _blank(bad_frames: tuple[str, ...], length: int) -> ClipSample:
    """Return a blank clip without objects."""
    meta = FrameMeta(video_id=-1, frame_index=0, original_size=_BLANK_SIZE, input_size=_BLANK_SIZE, scale=1.0)
    return ClipSample(
        images=torch.zeros(length, 3, *_BLANK_SIZE, dtype=torch.uint8),
        truths=(FrameTruth.empty(_BLANK_SIZE),) * length,
        metas=(meta,) * length,
        reference_jitter=torch.zeros(0, 4),
        bad_frames=bad_frames,
    )
