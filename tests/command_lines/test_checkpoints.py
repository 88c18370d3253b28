"""Checkpoints of others on the command lines: the published release's, and files that safe reading refuses."""

import json
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from programs import load_program

from mmdet.engine.checkpoints.release_names import from_release
from mmdet.engine.process.endings import run_command_line

KEY_LISTS = Path(__file__).parents[1] / "data" / "baselines"
GOLDEN_MODEL = """
_base_ = {config!r}
model = dict(
    backbone=dict(embed_dim=48, depth=12, num_heads=4, out_blocks=(5, 8, 11), reset_blocks=(2, 5, 8, 11)),
    neck=dict(channels=32),
    head=dict(num_classes=40, norm_groups=32, memory=dict(num_slots=16)),
)
data = dict(train=dict(datasets={train!r}), test=dict(dataset=dict(ann_file={valid!r})))
optimizer = dict(_delete_=True, type="SGD", lr=0.0)
"""


@pytest.fixture(scope="module")
def release_state(recorded_numbers):
    arrays = np.load(recorded_numbers / "seed0" / "state_dict.npz")
    return {key: torch.from_numpy(arrays[key].astype(np.float32)) for key in arrays.files}


@pytest.fixture
def released(release_state, tmp_path):
    """The small model of the golden numbers as the release's training leaves it."""
    state = OrderedDict((f"module.{key}", value) for key, value in release_state.items())
    meta = {"epoch": 12, "mmcv_version": "1.3.8", "CLASSES": ("person",), "config": "model = dict()"}
    torch.save({"meta": meta, "state_dict": state, "optimizer": {"param_groups": [{"lr": 0.1}]}}, tmp_path / "r.pth")
    return tmp_path / "r.pth"


@pytest.fixture
def golden_config(config, tiny_set, tmp_path):
    """The small model on the tiny set, which gets the release's 40 categories."""
    paths = {}
    for split in ("train", "valid"):
        data = json.loads((tiny_set / f"annotations/instances_{split}.json").read_text())
        data["categories"] = [{"id": number, "name": f"class_{number}"} for number in range(1, 41)]
        paths[split] = str(tmp_path / f"{split}.json")
        Path(paths[split]).write_text(json.dumps(data))
    images = str(tiny_set / "train_images")
    train = [{"type": "VISDataset", "ann_file": paths["train"], "img_prefix": images, "transforms": []}]
    path = tmp_path / "golden.py"
    path.write_text(GOLDEN_MODEL.format(config=str(config), train=train, valid=paths["valid"]))
    return path


@pytest.fixture
def convert(monkeypatch, capsys):
    """Run tools/convert_checkpoint.py in this process; return its exit code and what it said."""
    module = load_program("tools/convert_checkpoint")

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["convert_checkpoint.py", *map(str, arguments)])
        code = 0
        try:
            run_command_line(module.main)
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        return code, said.out + said.err

    return call


def test_the_published_model_is_converted_with_its_number_of_parameters(convert, recorded_numbers, tmp_path):
    shapes = json.loads((recorded_numbers / "reference_vitb_state_dict_shapes.json").read_text())
    torch.save({key: torch.zeros(()).expand(shape) for key, shape in shapes.items()}, tmp_path / "r.pth")  # small files
    code, said = convert(tmp_path / "r.pth", tmp_path / "converted.pth")
    assert code == 0, said
    assert "209 tensors, 95,343,989 parameters (backbone " in said


@pytest.mark.parametrize(
    ("system", "name", "tensors", "parameters"),  # the numbers are BASELINES.md's
    [
        ("sipmask_vis", "the published SipMask-VIS", 378 - 4, "33,433,394"),
        ("fcos", "mmdetection's FCOS", 369 - 4, "32,295,322"),
        ("masktrack_rcnn", "the published MaskTrack R-CNN", 364 + 6, "58,081,093"),
    ],
)
def test_published_baselines_are_converted_with_their_numbers_of_parameters(
    convert, tmp_path, system, name, tensors, parameters
):
    shapes = json.loads((KEY_LISTS / f"{system}_state_dict_shapes.json").read_text())
    state = {key: torch.zeros(()).expand(shape) for key, shape in shapes.items()}  # small files
    torch.save({"meta": {}, "state_dict": state}, tmp_path / "r.pth")
    code, said = convert(tmp_path / "r.pth", tmp_path / "converted.pth")
    assert code == 0, said
    assert f"r.pth, recognised as a checkpoint of {name}" in said
    assert f"{tensors} tensors, {parameters} parameters (backbone " in said


def test_a_release_checkpoint_tests_like_its_conversion(run, convert, golden_config, released, release_state, tmp_path):
    code, said = convert(released, tmp_path / "converted.pth")
    assert code == 0, said
    assert "r.pth, recognised as a checkpoint of the published release" in said
    assert "209 tensors, 546,277 parameters (backbone " in said
    written = torch.load(tmp_path / "converted.pth", weights_only=True)
    assert list(written) == ["model"]
    expected = from_release(release_state)
    assert set(written["model"]) == set(expected)
    assert all(torch.equal(written["model"][name], value) for name, value in expected.items())
    for name, recognised in (("r", True), ("converted", False)):
        done = run("test_video", golden_config, tmp_path / f"{name}.pth", "--out", tmp_path / f"{name}.pkl")
        assert done.code == 0, done.err
        assert ("recognised as a checkpoint of the published release" in done.out) == recognised
    results = json.loads((tmp_path / "r.pkl.json").read_text())
    assert results
    assert results == json.loads((tmp_path / "converted.pkl.json").read_text())


def test_training_starts_from_a_release_checkpoint(run, golden_config, released, release_state, tmp_path):
    done = run(
        "train", golden_config, "--load_from", released, "--work_dir", tmp_path / "work", "--cfg-options",
        "schedule.steps=1",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "recognised as a checkpoint of the published release" in done.err
    assert f"weights from {released}, recognised as" in (tmp_path / "work" / "train.log").read_text()
    trained = torch.load(tmp_path / "work" / "step_1.pth", weights_only=True)["model"]
    for name, value in from_release(release_state).items():
        if name != "head.memory.slots":  # written after a step, whatever the learning rate (here 0)
            assert torch.equal(trained[name], value), name


def test_a_release_checkpoint_without_a_key_is_refused_everywhere(run, convert, golden_config, release_state, tmp_path):
    state = {key: value for key, value in release_state.items() if key != "bbox_head.scales.2.scale"}
    torch.save({"state_dict": state}, tmp_path / "r.pth")
    code, said = convert(tmp_path / "r.pth", tmp_path / "converted.pth")
    assert code == 2
    assert "1 keys missing (bbox_head.scales.2.scale)" in said
    assert not (tmp_path / "converted.pth").exists()
    for arguments in (
        ("test_video", golden_config, tmp_path / "r.pth", "--eval", "segm"),
        ("train", golden_config, "--load_from", tmp_path / "r.pth", "--work_dir", tmp_path),
    ):
        done = run(*arguments)
        assert done.code == 2
        assert "bbox_head.scales.2.scale" in done.err


def test_a_release_checkpoint_for_another_config_is_refused(run, config, released):
    done = run("test_video", config, released, "--eval", "segm")
    assert done.code == 2
    assert "does not fit the model of this config" in done.err


@pytest.fixture
def unsafe(checkpoint, tmp_path):
    """The checkpoint of the tiny run with an object in it."""
    state = torch.load(checkpoint, weights_only=True)
    torch.save({**state, "seconds": np.float64(1.5)}, tmp_path / "unsafe.pth")
    return tmp_path / "unsafe.pth"


def test_a_checkpoint_with_an_object_is_tested_only_if_trusted(run, config, unsafe, tmp_path):
    done = run("test_video", config, unsafe, "--out", tmp_path / "r.pkl")
    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 1
    assert "multiarray.scalar" in done.err
    assert "--trust-checkpoint" in done.err
    done = run("test_video", config, unsafe, "--out", tmp_path / "r.pkl", "--trust-checkpoint")
    assert done.code == 0, done.err


@pytest.mark.parametrize("option", ["load_from", "resume_from"])
def test_a_checkpoint_with_an_object_is_trained_from_only_if_trusted(run, config, unsafe, tmp_path, option):
    arguments = ("train", config, f"--{option}", unsafe, "--work_dir", tmp_path / "w")
    steps = ("--cfg-options", "schedule.steps=3")
    done = run(*arguments, *steps)
    assert done.code == 2
    assert "--trust-checkpoint" in done.err
    done = run(*arguments, "--trust_checkpoint", *steps)
    assert done.code == 0, done.err
    assert (tmp_path / "w" / "step_3.pth").is_file()


def test_pretrained_weights_with_an_object_are_read_only_if_trusted(run, config, checkpoint, tmp_path):
    weights = torch.load(checkpoint, weights_only=True)["model"]
    backbone = {key.removeprefix("backbone."): value for key, value in weights.items() if key.startswith("backbone.")}
    path = tmp_path / "mae.pth"
    torch.save({"model": {**backbone, "decoder_embed.weight": torch.zeros(1)}, "loss": np.float64(0.4)}, path)
    arguments = ("train", config, "--work_dir", tmp_path / "w", "--cfg-options", f"model.backbone.pretrained={path}")
    assert "--trust-checkpoint" in run(*arguments).err
    done = run(*arguments, "--trust-checkpoint")
    assert done.code == 0, done.err
    line = f"{path}: {len(backbone)} of {len(backbone)} tensors loaded, not used: decoder_embed"
    assert line in done.err
    assert line in (tmp_path / "w" / "train.log").read_text()


def test_converting_makes_a_file_safe_that_was_not(convert, unsafe, tmp_path):
    code, said = convert(unsafe, tmp_path / "safe.pth")
    assert code == 2
    assert "--trust-checkpoint" in said
    assert convert(unsafe, tmp_path / "safe.pth", "--trust-checkpoint")[0] == 0
    assert list(torch.load(tmp_path / "safe.pth", weights_only=True)) == ["model", "about"]


def test_converting_keeps_the_names_of_the_classes(convert, checkpoint, tmp_path):
    names = torch.load(checkpoint, weights_only=True)["about"]["class_names"]
    assert convert(checkpoint, tmp_path / "converted.pth")[0] == 0
    assert len(names) == 5
    assert torch.load(tmp_path / "converted.pth", weights_only=True)["about"] == {"class_names": names}
