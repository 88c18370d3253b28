"""Predictions of the dynamic head, and what two processes make of them."""

import plus_scenes
import pytest
import torch

CASES = [([30, 21], [52, 0]), ([30, 21], [0, 1]), ([40], [20]), ([10], [1])]  # pairs of rank 0 and of rank 1
SHARES = [(2, 2, 2), (4, 1, 2), (1, 3, 2), (2, 1, 3)]  # clips of either rank and their frames, for identities alone


@pytest.fixture(scope="module")
def plus():
    """The module tests/helpers/plus_scenes.py."""
    return plus_scenes


@pytest.fixture(scope="session")
def two_ranks(tmp_path_factory):
    """What each of two processes found in CASES and SHARES."""
    folder = tmp_path_factory.mktemp("ranks")
    torch.multiprocessing.spawn(plus_scenes.run_rank, args=(CASES, SHARES, str(folder)), nprocs=2)
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.fixture(params=range(len(CASES)))
def case(request):
    return request.param, CASES[request.param]


@pytest.fixture(params=range(len(SHARES)))
def share(request):
    return request.param, SHARES[request.param]
