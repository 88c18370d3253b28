"""Checkpoints: given on a command line, by --load_from and --resume_from."""

import io
import zipfile

import pytest
import torch
from hostile import changed, changes, damaged, damages, hostile, refused_or_read
from hostile_pickles import FOREIGN, programs
from hypothesis import given
from hypothesis import strategies as st
from miniature import make_trainer
from torch import nn

from mmdet.engine.checkpoints.file import check_whole, load_checkpoint
from mmdet.engine.checkpoints.weights import load_weights, read_weights, start_from
from mmdet.errors import UserError

STATE = {
    "model": {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.zeros(2)},
    "optimizer": {"param_groups": [{"lr": 0.1, "params": [0, 1]}], "state": {0: {"momentum_buffer": torch.ones(2, 3)}}},
    "about": {"class_names": ["cat"]},
    "best": 0.5,
}
KINDS = (  # of tensors that no model has
    lambda: torch.zeros(2, 3, device="meta"),
    lambda: torch.eye(3).to_sparse(),
    lambda: torch.zeros(2, 3, dtype=torch.complex64),
    lambda: torch.zeros(2, 3, dtype=torch.bool),
    lambda: torch.zeros(0),
    lambda: torch.zeros(()).expand(2**40),
    lambda: torch.zeros(()).expand(2, 3),
    lambda: torch.full((2, 3), float("nan")),
    lambda: nn.Parameter(torch.zeros(2, 3)),
    lambda: torch.quantize_per_tensor(torch.zeros(2, 3), 0.1, 0, torch.qint8),
    lambda: torch.zeros(2, 3, dtype=torch.float64),
    lambda: torch.Size([2, 3]),
    lambda: torch.float32,
)
tensor_changes = st.lists(
    st.tuples(st.just("replace"), st.integers(0, 100), st.sampled_from(KINDS), st.just(0)), max_size=2
)


def saved(state, as_zip=True):
    """The bytes of a checkpoint, zip or the format before."""
    file = io.BytesIO()
    torch.save(state, file, _use_new_zipfile_serialization=as_zip)
    return file.getvalue()


SOUND = {as_zip: saved(STATE, as_zip) for as_zip in (True, False)}


def load(path, data=None):
    """Do with a checkpoint what the command lines do."""
    if data is not None:
        path.write_bytes(data)
    refused_or_read(lambda: check_whole(path), UserError)
    refused_or_read(lambda: load_checkpoint(path), UserError)
    weights = refused_or_read(lambda: read_weights(path), UserError)
    if weights is not None:
        refused_or_read(lambda: load_weights(nn.Linear(3, 2), weights, None), UserError)
        refused_or_read(lambda: start_from(nn.Linear(3, 2), weights, ["cat"]), UserError)
    return weights


def with_program(program, level=zipfile.ZIP_STORED, more=()):
    """A zip of torch's whose data.pkl is `program`."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(SOUND[True])) as sound, zipfile.ZipFile(file, "w", level) as archive:
        for part in sound.infolist():
            archive.writestr(part.filename, program if part.filename.endswith("data.pkl") else sound.read(part))
        for name, data in more:
            archive.writestr(name, data)
    return file.getvalue()


@hostile(5)
@given(st.booleans(), damages)
def test_damaged_checkpoints_are_read_or_refused(folder, as_zip, damage):
    load(folder / "damaged.pth", damaged(SOUND[as_zip], damage))


@hostile(5)
@given(changes, tensor_changes, st.booleans())
def test_checkpoints_of_anything_are_read_or_refused(folder, ways, tensor_ways, as_zip):
    load(folder / "changed.pth", saved(changed(changed(STATE, ways), tensor_ways), as_zip))


@hostile(5)
@given(st.sampled_from(FOREIGN), st.sampled_from(["model", "about", "best", ""]), st.booleans())
def test_checkpoints_that_name_anything_call_nothing(folder, foreign, key, as_zip):
    load(folder / "foreign.pth", saved({**STATE, key: foreign} if key else foreign, as_zip))


@hostile(5)
@given(programs)
def test_any_program_in_a_checkpoint_ends(folder, program):
    load(folder / "program.pth", with_program(program + b"."))


def test_a_checkpoint_that_unpacks_to_more_than_it_holds_is_refused(folder):
    path = folder / "bomb.pth"
    path.write_bytes(with_program(b"\x80\x02}.", zipfile.ZIP_DEFLATED, more=[("archive/data/9", bytes(2**24))]))
    assert path.stat().st_size < 2**17
    with pytest.raises(UserError, match="its parts claim more bytes than it has"):
        load_checkpoint(path)


def test_deep_tuples_as_keys_do_not_end_the_process(folder):
    path = folder / "deep.pth"
    path.write_bytes(with_program(b"\x80\x02})" + b"\x85" * 1_000_000 + b"K\x01s."))
    with pytest.raises(UserError, match="tuples"):
        load_checkpoint(path)


@pytest.fixture(scope="module")
def saved_run(folder):
    """What a run has saved."""
    (folder / "work").mkdir()
    trainer = make_trainer(folder / "work", epochs=1)
    trainer.run()
    return load_checkpoint(folder / "work" / trainer.checkpoint_path.name)


@hostile(5)
@given(ways=changes, tensor_ways=tensor_changes)
def test_runs_are_resumed_or_refused(folder, saved_run, ways, tensor_ways):
    trainer, path = make_trainer(folder / "work", epochs=1), folder / "resumed.pth"
    path.write_bytes(saved(changed(changed(saved_run, ways), tensor_ways)))
    refused_or_read(lambda: trainer.resume(path), UserError)
