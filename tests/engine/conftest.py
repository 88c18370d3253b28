"""The training in miniature, as a module and as a program."""

import dataclasses
import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmdet.engine.process.signals import CAUGHT

MINIATURE = Path(__file__).with_name("miniature.py")


def load(name):
    """Import a file of this folder, by its name alone, so that other processes can do the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(MINIATURE.parent)
        return importlib.import_module(name)


@pytest.fixture(scope="session")
def miniature():
    """The module tests/engine/miniature.py."""
    return load("miniature")


@pytest.fixture(scope="session")
def tiny_vis():
    """The module tests/engine/tiny_vis.py."""
    return load("tiny_vis")


@pytest.fixture(scope="session")
def tiny_video():
    """The module tests/engine/tiny_video.py."""
    return load("tiny_video")


@pytest.fixture(scope="session")
def together():
    """The module tests/engine/together.py, its processes able to import the files of this folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(MINIATURE.parent)
        yield load("together")


@pytest.fixture(scope="session")
def run_miniature():
    """Run the program on the CPU, in a process group of its own, and return the finished process."""

    def run(work_dir):
        path = os.pathsep.join([str(MINIATURE.parents[2]), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""}
        environment.pop("WORLD_SIZE", None)
        return subprocess.run(
            [sys.executable, str(MINIATURE), "--work_dir", str(work_dir)],
            capture_output=True,
            text=True,
            env=environment,
            timeout=120,
            start_new_session=True,
        )

    return run


@pytest.fixture
def from_a_terminal(miniature):
    """Let this process heed the signals as one started from a terminal, whatever the tests were started from."""
    before = {number: signal.getsignal(number) for number in CAUGHT}
    miniature.heed_signals()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def gpu(miniature):
    """The ranks of one process on the first GPU."""
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    return dataclasses.replace(miniature.ALONE, device=torch.device("cuda", 0))
