"""Hostile input. See tests/helpers/hostile.py for the long run."""

from pathlib import Path

import hostile
import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    """The long run has no limit but that of each example."""
    if hostile.OFFLINE:
        for item in items:
            if item.path.parent == HERE:
                item.add_marker(pytest.mark.timeout(0))


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(autouse=True)
def untouched():
    """Nothing that a file names may be called."""
    yield
    assert hostile.CALLS == []
    assert not hostile.WRITTEN.exists()
