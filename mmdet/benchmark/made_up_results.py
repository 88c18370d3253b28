"""Made-up ground truths and results of any size, to measure the evaluator with.

Objects are wavy discs that wander through the frame; results are the shifted objects with random classes. Masks are
drawn for a few videos and reused in the others, which does not change the cost of an evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from mmdet.ops.masks.segmentations import encode_masks, mask_areas
from mmdet.structures import RLE, Size

_DRAWN_VIDEOS = 4
_CORNERS = 360  # points of an object's outline
_ABSENT = 0.1  # fraction of the frames of a track


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much there is to evaluate. `truths` and `results` are tracks per video."""

    videos: int
    frames: int
    truths: int
    results: int
    categories: int
    size: Size = (720, 1280)


SCALES = {
    # name -> as many videos, frames and tracks as in the validation split that it stands for
    "youtube_vis": Scale(videos=421, frames=30, truths=3, results=10, categories=40),
    "ovis_length": Scale(videos=140, frames=70, truths=6, results=15, categories=25),
    "crowded_class": Scale(videos=20, frames=40, truths=20, results=60, categories=1),
}


def make_case(scale: Scale, seed: int = 0) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a ground truth and results as json content."""
    rng = np.random.default_rng(seed)
    drawn = [_draw_video(scale, rng) for _ in range(min(_DRAWN_VIDEOS, scale.videos))]
    truth: dict[str, Any] = {
        "videos": [
            {"id": v, "height": scale.size[0], "width": scale.size[1], "length": scale.frames}
            for v in range(1, scale.videos + 1)
        ],
        "categories": [{"id": c, "name": f"class_{c}"} for c in range(1, scale.categories + 1)],
        "annotations": [],
    }
    results = []
    for video in truth["videos"]:
        truth_masks, result_masks, objects = drawn[video["id"] % len(drawn)]
        classes = rng.integers(1, scale.categories + 1, scale.truths).tolist()
        for masks, category in zip(truth_masks, classes, strict=True):
            areas = [None if rle is None else int(area) for rle, area in zip(masks, _areas(masks), strict=True)]
            number = len(truth["annotations"]) + 1
            entry = {"id": number, "video_id": video["id"], "category_id": category, "iscrowd": 0}
            truth["annotations"].append(entry | {"segmentations": masks, "areas": areas})
        for masks, index in zip(result_masks, objects, strict=True):
            # every second result has its object's class
            category = classes[index] if rng.random() < 0.5 else int(rng.integers(1, scale.categories + 1))
            score = float(rng.random())
            entry = {"video_id": video["id"], "category_id": category, "score": score, "segmentations": masks}
            results.append(entry)
    return truth, results


def _draw_video(
    scale: Scale, rng: np.random.Generator
) -> tuple[list[list[RLE | None]], list[list[RLE | None]], list[int]]:
    """Return the masks of the truths and of the results, and the truth that each result is near to."""
    height, width = scale.size
    starts = rng.uniform(0.1, 0.9, (scale.truths, 2)) * (height, width)
    ways = rng.normal(0, 0.005, (scale.truths, 2)) * (height, width)
    radii = rng.uniform(0.06, 0.25, scale.truths) * height
    objects = rng.integers(0, scale.truths, scale.results).tolist()
    truths = [_draw_track(scale, rng, starts[i], ways[i], radii[i]) for i in range(scale.truths)]
    shifts = rng.normal(0, 0.1, (scale.results, 2)) * radii[objects, None]
    results = [
        _draw_track(scale, rng, starts[i] + shift, ways[i], radii[i]) for i, shift in zip(objects, shifts, strict=True)
    ]
    return truths, results, objects


def _draw_track(
    scale: Scale, rng: np.random.Generator, start: np.ndarray, way: np.ndarray, radius: float
) -> list[RLE | None]:
    waves, phase = int(rng.integers(3, 12)), rng.uniform(0, 2 * np.pi)
    masks: list[RLE | None] = []
    for frame in range(scale.frames):
        if rng.random() < _ABSENT:
            masks.append(None)
            continue
        centre = start + frame * way
        angles = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
        edge = radius * (1 + 0.2 * np.sin(waves * angles + phase + 0.1 * frame))
        corners = centre[::-1, None] + edge * np.stack([np.cos(angles), np.sin(angles)])
        mask = cv2.fillPoly(np.zeros(scale.size, np.uint8), [corners.T.astype(np.int32)], 1)
        masks.extend(encode_masks(mask.view(np.bool_)[None]))
    return masks


def _areas(masks: list[RLE | None]) -> list[int]:
    present = [rle for rle in masks if rle is not None]
    areas = iter(mask_areas(present).tolist())
    return [0 if rle is None else next(areas) for rle in masks]
