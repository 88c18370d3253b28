"""One small video with every kind of error, and the same as files."""

import json

import cv2
import numpy as np
import pytest
from made_errors import FRAMES, make_results, make_truth
from made_tracks import SIZE


@pytest.fixture
def truth():
    return make_truth()


@pytest.fixture
def results():
    return make_results()


@pytest.fixture
def files(tmp_path):
    """A folder with truth.json, results.json and images/."""
    (tmp_path / "truth.json").write_text(json.dumps(make_truth()))
    (tmp_path / "results.json").write_text(json.dumps(make_results()))
    folder = tmp_path / "images" / "clip"
    folder.mkdir(parents=True)
    for frame in range(FRAMES):
        picture = np.full((*SIZE, 3), 40 * frame, np.uint8)
        cv2.imwrite(str(folder / f"{frame:05d}.png"), picture)
    return tmp_path
