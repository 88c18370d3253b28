"""Stills of one colour as the files of a tree."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def still(tmp_path):
    """Write an image of one brightness into a folder that is made if need be, and return its path."""

    def write(name, value=50, size=(24, 32)):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((*size, 3), value, np.uint8)).save(path)
        return path

    return write


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder that is the working directory, and a function that makes empty files in it."""
    monkeypatch.chdir(tmp_path)

    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return make
