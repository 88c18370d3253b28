"""Random predictions that losses are tested with."""

import loss_scenes
import pytest


@pytest.fixture(scope="module")
def scenes():
    """The module tests/helpers/loss_scenes.py."""
    return loss_scenes
