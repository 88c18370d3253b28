import pytest
import torch

from mmdet.engine.process.devices import chosen_device
from mmdet.errors import UserError


@pytest.fixture
def gpus(monkeypatch):
    return lambda count: monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


@pytest.mark.parametrize(
    ("name", "count", "device"),
    [
        (None, 0, "cpu"),
        (None, 2, "cuda:0"),
        ("cpu", 2, "cpu"),
        ("cuda", 2, "cuda:0"),
        ("cuda:1", 2, "cuda:1"),
        ("0", 2, "cuda:0"),
        ("1", 2, "cuda:1"),
    ],
)
def test_devices_have_names_and_gpus_numbers(gpus, name, count, device):
    gpus(count)
    assert chosen_device(name) == torch.device(device)


@pytest.mark.parametrize(
    ("name", "count", "message"),
    [
        ("cuda", 0, "this torch finds no GPU that it can use; use --device cpu"),
        ("0", 0, "this torch finds no GPU that it can use"),
        ("2", 2, "this machine has 2 GPUs, numbered from 0 to 1"),
        ("cuda:7", 2, "this machine has 2 GPUs"),
        ("gpu", 2, "is unknown: expected cpu, cuda, or the number of a GPU"),
        ("cuda:", 2, "is unknown"),
        ("cuda:x", 2, "is unknown"),
        ("cpu:1", 2, "is unknown"),
        ("-1", 2, "is unknown"),
        ("", 2, "is unknown"),
    ],
)
def test_a_device_that_is_not_there_is_named(gpus, name, count, message):
    gpus(count)
    with pytest.raises(UserError, match=f"--device {name}.*{message}"):
        chosen_device(name)
