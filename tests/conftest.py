"""Fixtures that every test may use, paths for the processes that tests start, and skips that count as failures."""

import importlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

TESTS = Path(__file__).parent


def pytest_addoption(parser):
    parser.addoption(
        "--no-skips",
        default="",
        metavar="MARKERS",
        help="markers, separated by commas, whose tests fail where they would skip: shared, compiled, browser",
    )


def pytest_configure():
    """Let the processes that tests start import this checkout and tests/helpers, as `pythonpath` does for pytest."""
    paths = [str(TESTS.parent), str(TESTS / "helpers"), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)


def pytest_collection_modifyitems(items):
    for item in items:
        if "shared" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.shared)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    refused = [
        name for name in item.config.getoption("--no-skips").split(",") if name and item.get_closest_marker(name)
    ]
    if report.skipped and refused and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"--no-skips {refused[0]}, but the test skipped: {report.longrepr[2]}"
    return report


@pytest.fixture(scope="session")
def recorded_numbers() -> Path:
    """The folder of numbers that were computed with the published release; its README describes them."""
    return TESTS / "data" / "golden"


@pytest.fixture(scope="session")
def part(recorded_numbers):
    """Read one array of the recorded parts as a tensor."""
    arrays = np.load(recorded_numbers / "parts" / "parts.npz")
    return lambda name: torch.from_numpy(arrays[name])


@pytest.fixture(scope="session")
def part_notes(recorded_numbers):
    return json.loads((recorded_numbers / "parts" / "parts.json").read_text())


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of larger test data, named by $MEMCNP_SHARED; a test that needs it skips without it."""
    folder = os.environ.get("MEMCNP_SHARED")
    if not folder:
        pytest.skip("MEMCNP_SHARED is not set: no larger test data at hand")
    return Path(folder)


@pytest.fixture(scope="session")
def miniature():
    """The module tests/helpers/miniature.py."""
    return importlib.import_module("miniature")


@pytest.fixture(scope="session")
def tiny_vis():
    """The module tests/helpers/tiny_vis.py."""
    return importlib.import_module("tiny_vis")


@pytest.fixture(scope="session")
def tiny_video():
    """The module tests/helpers/tiny_video.py."""
    return importlib.import_module("tiny_video")


@pytest.fixture(scope="session")
def together():
    """The module tests/helpers/together.py."""
    return importlib.import_module("together")
