"""The settings of a benchmark: the options of `tools/benchmark.py` as one object."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from mmdet.errors import UserError
from mmdet.structures import Size


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkSettings:
    """What to measure. None means the value of the config or of the mode."""

    device: torch.device
    sizes: tuple[Size, ...] | None = None  # of the frames
    batch_size: int | None = None
    objects: int | None = None  # per frame
    steps: int | None = None  # timed steps
    warmup: int | None = None  # steps before the timed ones
    amp: str | None = None
    compile: bool = False  # with torch.compile; training also does so if its config says so
    cuda_graph: bool = False  # one launch per frame of a stream; training follows its config
    workers: int | None = None
    videos: int = 2  # made-up videos; with `own_data` the config's data are used instead
    frames: int = 20  # per video
    own_data: bool = False
    index_videos: int = 3000  # in a made-up annotation file
    checkpoint: str | None = None  # None: random weights
    profile: Path | None = None  # where to write a profile of a few steps
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("batch_size", "objects", "steps", "videos", "frames", "index_videos"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"--{name.replace('_', '-')} is {value}, expected 1 or more")
        if min(self.warmup or 0, self.workers or 0) < 0:
            raise UserError(f"--warmup and --workers are {self.warmup} and {self.workers}, expected 0 or more")
        if any(min(size) < 1 for size in self.sizes or ()):
            raise UserError(f"--size: {list(self.sizes or ())} holds a side without a pixel")
        if self.device.type == "cuda" and (self.device.index or 0) >= torch.cuda.device_count():
            raise UserError(f"--device {self.device}: this machine has {torch.cuda.device_count()} GPUs")
