"""Equal runs: by the seed alone on the CPU, under deterministic algorithms on a GPU."""

import os
import subprocess
import sys

import pytest
import torch

from mmdet.engine.process.randomness import compute_deterministically


@pytest.fixture
def settings(monkeypatch):
    """Put torch's settings back afterwards."""
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    before = torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = before
    os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)


def test_everything_that_torch_needs_to_be_deterministic_is_set(settings):
    torch.backends.cudnn.benchmark = True
    compute_deterministically()
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.is_deterministic_algorithms_warn_only_enabled()
    assert (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic) == (False, True)
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] in (":4096:8", ":16:8")


def test_a_users_choice_for_cublas_stands(settings, monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    compute_deterministically()
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"


def trained(tiny_vis, folder, model):
    trainer = tiny_vis.make_trainer(folder, epochs=1, model=model)
    trainer.run()
    return trainer.model.state_dict()


@pytest.mark.parametrize("model", ["published", "plus"])
def test_on_the_cpu_equal_runs_are_equal_with_or_without_deterministic_algorithms(tiny_vis, tmp_path, settings, model):
    first, second = (trained(tiny_vis, tmp_path / name, model) for name in "ab")
    compute_deterministically()
    third = trained(tiny_vis, tmp_path / "c", model)
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
        assert torch.equal(value, third[name]), name


@pytest.mark.cuda
@pytest.mark.slow  # three models twice, in a process of its own: cuBLAS reads its setting only when it starts
def test_on_a_gpu_deterministic_runs_are_equal_bit_for_bit(tiny_vis, tmp_path):
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    done = subprocess.run(
        [sys.executable, tiny_vis.__file__, str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for backbone in ("vit", "resnet", "plus"):
        first, second = (torch.load(tmp_path / f"{backbone}_{turn}.pt") for turn in range(2))
        for name, value in first.items():
            assert torch.equal(value, second[name]), f"{backbone} {name}"
