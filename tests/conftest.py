"""Fixtures every test may use."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of golden numbers and test data, named by $MEMCNP_SHARED; a test that needs it skips without it."""
    folder = os.environ.get("MEMCNP_SHARED")
    if not folder:
        pytest.skip("MEMCNP_SHARED is not set: no golden numbers or test data at hand")
    return Path(folder)


@pytest.fixture(scope="session")
def part(shared):
    """Read one array of the golden parts as a tensor."""
    arrays = np.load(shared / "golden" / "parts" / "parts.npz")
    return lambda name: torch.from_numpy(arrays[name])


@pytest.fixture(scope="session")
def part_notes(shared):
    return json.loads((shared / "golden" / "parts" / "parts.json").read_text())
