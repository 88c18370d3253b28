"""The training in miniature, as a module and as a program."""

import dataclasses
import os
import signal
import subprocess
import sys

import pytest
import torch

from mmdet.engine.process.signals import CAUGHT


@pytest.fixture(scope="session")
def run_miniature(miniature):
    """Run the program on the CPU, in a process group of its own, and return the finished process."""

    def run(work_dir):
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
        environment.pop("WORLD_SIZE", None)
        return subprocess.run(
            [sys.executable, miniature.__file__, "--work_dir", str(work_dir)],
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
