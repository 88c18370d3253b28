"""Which frame a training frame is paired with. A pure function of frame numbers and a generator. Source: MODEL.md 9."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def choose_reference(candidates: Sequence[int], key: int, rng: np.random.Generator, max_gap: int = 5) -> int:
    """Draw the reference of frame `key` uniformly from the `candidates`, the annotated frames of its video.

    Other frames at most `max_gap` frames away are preferred; without any, every other frame counts; a video with one
    annotated frame pairs it with itself (MODEL.md 10, Q18).
    """
    others = [frame for frame in candidates if frame != key]
    near = [frame for frame in others if abs(frame - key) <= max_gap]
    choices = near or others or [key]
    return choices[int(rng.integers(len(choices)))]
