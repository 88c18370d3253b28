"""Checkpoint files: whole or not at all, safe to read."""

import contextlib
import json
import os
from argparse import Namespace
from collections import OrderedDict

import numpy as np
import pytest
import torch

from mmdet.engine.checkpoints.file import load_checkpoint, save_checkpoint
from mmdet.engine.checkpoints.index import (
    forget_checkpoints,
    index_checkpoint,
    latest_checkpoint,
    make_latest,
    note_figure,
    remove_leftovers,
)
from mmdet.engine.checkpoints.weights import read_weights
from mmdet.errors import UserError


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


@pytest.mark.parametrize("trusted", [False, True])
def test_a_damaged_byte_ends_in_one_line_or_in_other_numbers(tmp_path, trusted):
    path = tmp_path / "a.pth"
    for new_format in (True, False):
        torch.save({"model": {"w": torch.zeros(3)}}, path, _use_new_zipfile_serialization=new_format)
        whole = path.read_bytes()
        for position in range(0, len(whole), 17):
            path.write_bytes(whole[:position] + b"\xff" + whole[position + 1 :])
            with contextlib.suppress(UserError):
                load_checkpoint(path, trusted)


def test_the_refusal_names_the_option_and_the_option_loads(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"model": {"w": torch.ones(2)}, "best": np.float64(0.5), "args": Namespace(lr=1)}, path)
    with pytest.raises(
        UserError, match=r"object of numpy\S*\.scalar: refused.* --trust-checkpoint of `memcnp train`"
    ) as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert load_checkpoint(path, trusted=True)["best"] == 0.5
    assert torch.equal(read_weights(path, trusted=True).tensors["w"], torch.ones(2))


def test_a_checkpoint_of_mmengine_loads_if_trusted(tmp_path):
    from mmengine.logging import HistoryBuffer

    weights = OrderedDict(w=torch.ones(2))
    weights._metadata = OrderedDict()
    hub = {"log_scalars": {"loss": HistoryBuffer([1.0], [1])}, "seed": np.int64(3)}
    torch.save({"meta": {"epoch": 1}, "state_dict": weights, "message_hub": hub}, tmp_path / "a.pth")
    with pytest.raises(UserError, match="HistoryBuffer: refused"):
        load_checkpoint(tmp_path / "a.pth")
    assert torch.equal(read_weights(tmp_path / "a.pth", trusted=True).tensors["w"], torch.ones(2))


def test_a_file_in_another_pickle_protocol_is_not_called_damaged(tmp_path):
    torch.save({"model": {"w": torch.ones(2)}}, tmp_path / "a.pth", pickle_protocol=4)
    with (
        pytest.raises(UserError, match="safe reader does not know: refused"),
        pytest.warns(UserWarning, match="protocol"),
    ):
        load_checkpoint(tmp_path / "a.pth")
    assert torch.equal(load_checkpoint(tmp_path / "a.pth", trusted=True)["model"]["w"], torch.ones(2))


def test_a_trusted_object_of_a_package_that_is_not_here_is_named(tmp_path):
    (tmp_path / "a.pth").write_bytes(b"cno_such_package\nThing\n.")
    with pytest.raises(UserError, match=r"cannot be built here: No module named 'no_such_package'"):
        load_checkpoint(tmp_path / "a.pth", trusted=True)


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


def test_the_best_scored_checkpoints_are_kept_beside_the_last(tmp_path):
    for epoch, figure in enumerate([0.2, 0.5, 0.4, 0.1, 0.3], start=1):
        save_checkpoint(tmp_path / f"epoch_{epoch}.pth", {})
        index_checkpoint(tmp_path, f"epoch_{epoch}.pth", keep_last=1, keep_best=2)
        note_figure(tmp_path, f"epoch_{epoch}.pth", figure)
    assert {path.name for path in tmp_path.glob("*.pth")} == {"epoch_2.pth", "epoch_3.pth", "epoch_5.pth"}
    assert latest_checkpoint(tmp_path).name == "epoch_5.pth"


def test_a_figure_of_no_checkpoint_is_not_noted(tmp_path):
    save_checkpoint(tmp_path / "epoch_1.pth", {})
    index_checkpoint(tmp_path, "epoch_1.pth", keep_last=1)
    note_figure(tmp_path, "epoch_2.pth", 0.5)
    assert json.loads((tmp_path / "checkpoints.json").read_text()) == {"epoch_1.pth": None}


def test_an_index_of_names_alone_is_read(tmp_path):
    for epoch in (1, 2):
        save_checkpoint(tmp_path / f"epoch_{epoch}.pth", {})
    (tmp_path / "checkpoints.json").write_text('["epoch_2.pth", "epoch_1.pth"]')
    assert latest_checkpoint(tmp_path).name == "epoch_1.pth"
    make_latest(tmp_path, "epoch_2.pth")
    assert latest_checkpoint(tmp_path).name == "epoch_2.pth"


def test_leftovers_of_killed_writers_are_removed_and_nothing_else(tmp_path):
    stay = {"epoch_1.pth", "train.jsonl", ".r.pkl.7.tmp", "notes.pth.tmp"}
    for name in (*stay, ".epoch_2.pth.4711.tmp", ".best.pth.1.tmp", ".checkpoints.json.9.tmp"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == stay
