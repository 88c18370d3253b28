"""Checkpoint files: whole or not at all, safe to read, fitted strictly."""

import os

import pytest
import torch
from torch import nn

from mmdet.config import UserError
from mmdet.engine.checkpoint import (
    forget_checkpoints,
    index_checkpoint,
    latest_checkpoint,
    load_checkpoint,
    load_weights,
    save_checkpoint,
    weights_of,
)


class Command:
    """Runs a program when unpickled."""

    def __reduce__(self):
        return os.system, ("touch /tmp/never",)


class Full:
    """Cannot be pickled, as if the disk were full."""

    def __reduce__(self):
        raise OSError(28, "No space left on device")


def test_a_saved_state_comes_back(tmp_path):
    state = {"model": {"w": torch.arange(3.0)}, "position": {"step": 7}, "best": None, "names": ["a"]}
    save_checkpoint(tmp_path / "a.pth", state)
    loaded = load_checkpoint(tmp_path / "a.pth")
    assert torch.equal(loaded["model"].pop("w"), state["model"].pop("w"))
    assert loaded == state


def test_a_failing_write_leaves_the_old_file_and_no_other(tmp_path):
    save_checkpoint(tmp_path / "a.pth", {"step": 1})
    with pytest.raises(UserError, match=r"a\.pth cannot be written: .*No space left"):
        save_checkpoint(tmp_path / "a.pth", {"step": 2, "more": Full()})
    assert load_checkpoint(tmp_path / "a.pth") == {"step": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["a.pth"]


def test_a_write_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    events = []
    for name in ("fsync", "replace"):
        original = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, n=name, f=original: (events.append(n), f(*args)))
    save_checkpoint(tmp_path / "a.pth", {"step": 1})
    assert events == ["fsync", "replace", "fsync"]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.pth does not exist"):
        load_checkpoint(tmp_path / "none.pth")


@pytest.mark.parametrize("size", [0, 10, 600, -30])
def test_a_truncated_file_is_refused(tmp_path, size):
    path = tmp_path / "a.pth"
    save_checkpoint(path, {"model": {"w": torch.zeros(500)}})
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserError, match=r"a\.pth is not a checkpoint, or is damaged"):
        load_checkpoint(path)


@pytest.mark.parametrize("content", [b"hello, I am a text", b"\x89PNG\r\n\x1a\n\x00\x00", b"PK\x03\x04 no archive"])
def test_another_kind_of_file_is_refused(tmp_path, content):
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(UserError, match="is not a checkpoint"):
        load_checkpoint(tmp_path / "a.pth")


def test_a_file_without_a_dict_is_refused(tmp_path):
    torch.save([1, 2], tmp_path / "a.pth")
    with pytest.raises(UserError, match="holds a list"):
        load_checkpoint(tmp_path / "a.pth")


@pytest.mark.parametrize("new_format", [True, False])
def test_an_object_that_could_run_code_is_refused(tmp_path, new_format):
    torch.save({"model": Command()}, tmp_path / "a.pth", _use_new_zipfile_serialization=new_format)
    with pytest.raises(UserError, match=r"object of \w+\.system: refused, as loading it could run code"):
        load_checkpoint(tmp_path / "a.pth")


def test_weights_are_found_under_their_usual_names():
    tensors = {"w": torch.zeros(1)}
    assert weights_of({"model": tensors, "step": 1}, "f") == tensors
    assert weights_of({"state_dict": tensors, "meta": {}}, "f") == tensors
    assert weights_of(tensors, "f") == tensors
    with pytest.raises(UserError, match="f has no weights"):
        weights_of({"step": 1}, "f")


def test_fitting_weights_are_loaded():
    source, target = nn.Linear(2, 3), nn.Linear(2, 3)
    load_weights(target, source.state_dict(), "f")
    assert torch.equal(source.weight, target.weight)


def test_weights_that_do_not_fit_are_listed_and_not_loaded():
    model = nn.Sequential(*[nn.Linear(2, 2) for _ in range(8)])
    before = model[0].weight.clone()
    wrong = {"0.weight": torch.zeros(2, 2), "1.weight": torch.zeros(3, 2), "extra": torch.zeros(1)}
    with pytest.raises(UserError) as caught:
        load_weights(model, wrong, "w.pth")
    message = str(caught.value)
    assert "w.pth does not fit" in message
    assert "14 missing (0.bias, 1.bias, 2.weight, 2.bias, 3.weight, ...)" in message
    assert "1 unexpected (extra)" in message
    assert "1 of another shape (1.weight (3, 2) instead of (2, 2))" in message
    assert torch.equal(model[0].weight, before)


def test_the_latest_checkpoint_is_the_last_written_one(tmp_path):
    assert latest_checkpoint(tmp_path) is None
    for name in ("epoch_10.pth", "step_11.pth", "epoch_2.pth"):
        save_checkpoint(tmp_path / name, {})
        index_checkpoint(tmp_path, name, keep_last=3)
    assert latest_checkpoint(tmp_path) == tmp_path / "epoch_2.pth"
    (tmp_path / "epoch_2.pth").unlink()
    assert latest_checkpoint(tmp_path) == tmp_path / "step_11.pth"


def test_only_the_last_checkpoints_of_the_run_are_kept(tmp_path):
    save_checkpoint(tmp_path / "epoch_0.pth", {})  # of nobody knows which run
    for epoch in (1, 2, 3, 3):
        save_checkpoint(tmp_path / f"epoch_{epoch}.pth", {})
        index_checkpoint(tmp_path, f"epoch_{epoch}.pth", keep_last=2)
    assert {path.name for path in tmp_path.glob("*.pth")} == {"epoch_0.pth", "epoch_2.pth", "epoch_3.pth"}


def test_a_new_run_leaves_an_earlier_runs_checkpoints(tmp_path):
    save_checkpoint(tmp_path / "epoch_9.pth", {})
    index_checkpoint(tmp_path, "epoch_9.pth", keep_last=1)
    forget_checkpoints(tmp_path)
    assert latest_checkpoint(tmp_path) is None
    save_checkpoint(tmp_path / "epoch_1.pth", {})
    index_checkpoint(tmp_path, "epoch_1.pth", keep_last=1)
    assert (tmp_path / "epoch_9.pth").exists()
