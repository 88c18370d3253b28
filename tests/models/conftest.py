"""The scenes of loss_scenes.py, importable in spawned processes too."""

import importlib
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def scenes():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        yield importlib.import_module("loss_scenes")
