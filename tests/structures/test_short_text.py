"""Dataclasses with tensors print one line, whatever their size."""

import importlib
import pkgutil
from dataclasses import fields, is_dataclass

import numpy as np
import pytest
import torch

import mmdet.structures
from mmdet.structures import FrameTracks, FrameTruth, PerFrame, TrackTube, VideoResult
from mmdet.structures.short_text import ShortText, short_text

MODULES = [
    importlib.import_module(f"mmdet.structures.{found.name}")
    for found in pkgutil.iter_modules(mmdet.structures.__path__)
]
CLASSES = sorted(
    {
        one
        for module in MODULES
        for one in vars(module).values()
        if is_dataclass(one) and one.__module__ == module.__name__
    },
    key=lambda one: one.__name__,
)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_structure_that_may_be_large_prints_short(kind):
    small = all(str(field.type) in {"int", "float", "Size", "str"} for field in fields(kind))
    assert small or issubclass(kind, ShortText)
    assert small or "__repr__" not in vars(kind) or kind is PerFrame


def test_tracks_print_names_types_and_shapes():
    tracks = FrameTracks(
        boxes=torch.zeros(900, 4),
        labels=torch.zeros(900, dtype=torch.int64),
        scores=torch.zeros(900),
        box_sigma=torch.zeros(900, 4),
        centerness=torch.zeros(900),
        embeddings=torch.zeros(900, 8),
        masks=torch.zeros(900, 6, 7, dtype=torch.bool),
        track_ids=torch.arange(900),
    )
    assert repr(tracks) == (
        "FrameTracks(boxes=float32 (900, 4), labels=int64 (900), scores=float32 (900), box_sigma=float32 (900, 4), "
        "centerness=float32 (900), embeddings=float32 (900, 8), masks=bool (900, 6, 7), track_ids=int64 (900))"
    )
    assert repr(FrameTruth.empty((4, 5))).startswith("FrameTruth(boxes=float32 (0, 4), labels=int64 (0), ")


def test_a_result_prints_how_many_tracks_and_a_tube_in_how_many_frames():
    scores = PerFrame(36, tuple(range(20)), (0.5,) * 20)
    tube = TrackTube(track_id=3, segmentations=scores, boxes=scores, labels=scores, scores=scores)
    assert repr(tube).startswith("TrackTube(track_id=3, segmentations=<values in 20 of 36 frames>, ")
    result = VideoResult(video_id=1, size=(4, 5), num_frames=36, tubes=(tube,) * 70)
    assert repr(result) == "VideoResult(video_id=1, size=(4, 5), num_frames=36, tubes=70 items, bad_frames=())"


@pytest.mark.parametrize(
    "name",
    [
        "datasets.transforms.geometric.RawFrame",
        "engine.checkpoints.weights.Weights",
        "engine.inference.stream.LaunchedChunk",
        "fileio.pictures.video.TimedFrame",
        "models.necks.temporal_calibration.TemporalContext",
        "ops.masks.runs.Runs",
        "tracking.state.TrackState",
        "visualization.scene.DrawnObject",
    ],
)
def test_what_holds_pictures_and_arrays_elsewhere_prints_short(name):
    module, _, kind = name.rpartition(".")
    found = getattr(importlib.import_module(f"mmdet.{module}"), kind)
    assert found.__repr__ is ShortText.__repr__


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.zeros((2, 3), np.uint8), "uint8 (2, 3)"),
        ([torch.zeros(2)], "1 items"),
        ({"a": 1}, "1 items"),
        (None, "None"),
        ("x" * 1000, "'xxxxxxxxxxxx...xxxxxxxxxxxxx'"),
    ],
)
def test_values_are_shown_as_a_few_words(value, text):
    assert short_text(value) == text
