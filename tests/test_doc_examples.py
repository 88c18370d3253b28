"""The examples in docstrings and in docs/python.md run, with a small model of random weights and made-up frames."""

import doctest
import importlib
from pathlib import Path

import numpy as np
import pytest
import tiny_video
from made_frames import make_tracks

import mmdet
from mmdet.structures import FrameDetections

ROOT = Path(__file__).parents[1]
MODULES = {
    "mmdet.engine.inference.predictor": 3,
    "mmdet.engine.inference.stream": 4,
    "mmdet.engine.inference.tracks": 10,
    "mmdet.structures.frames": 3,
    "mmdet.structures.results": 3,
    "mmdet.structures.short_text": 2,
}  # with how many examples each has at least
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.fixture(scope="module")
def given():
    """What the examples find at hand."""
    two = make_tracks((0, 1), (0, 1), (1.0, 0.75)).objects
    return {
        "predictor": tiny_video.make_predictor(),
        "frames": list(tiny_video.make_video(2, length=2)),
        "tracks": make_tracks(),
        "detections": FrameDetections(**{name: getattr(two, name) for name in FrameDetections.__dataclass_fields__}),
        "np": np,
    }


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_print_what_they_say(name, given):
    module = importlib.import_module(name)
    said = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, extraglobs=given):
        runner.run(test, out=said.append)
    assert "".join(said) == ""
    assert runner.tries >= MODULES[name]


def test_the_names_of_the_package_are_those_of_its_rooms():
    for name in mmdet.__all__:
        assert getattr(mmdet, name) is not None
    from mmdet.engine.inference.predictor import VideoPredictor

    assert mmdet.VideoPredictor is VideoPredictor
    with pytest.raises(AttributeError, match="no attribute 'Predictor'"):
        _ = mmdet.Predictor
