"""A tiny generated set, a tiny config for it, a model trained for two steps, and the command lines in this process."""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from programs import load_program

from mmdet.datasets.synthetic.demo_set import generate_demo_set
from mmdet.engine.process.endings import run_command_line
from mmdet.engine.process.launch import launch

ROOT = Path(__file__).parents[2]

CONFIG = """
_base_ = [{base!r}, {runtime!r}]
model = dict({model})
data = dict(
    train=dict(
        datasets=[
            dict(
                type="VISDataset",
                ann_file={train!r},
                img_prefix={train_images!r},
                {reading}
            )
        ],
        batch_size=2,
        workers=0,
    ),
    test=dict(
        dataset=dict(
            type="VISDataset",
            ann_file={valid!r},
            img_prefix={valid_images!r},
            transforms=[dict(type="ResizeKeepRatio", long_edge=120, short_edge=80)],
        ),
        chunk_size=3,
        workers=0,
    ),
)
optimizer = dict(type={optimizer!r}, lr=1e-3)
schedule = dict(steps=2)
runtime = dict(log_every=1)
"""
TINY_VIT = """
    backbone=dict(type="ViTMAE", embed_dim=32, depth=3, num_heads=2, out_blocks=(0, 1, 2), reset_blocks=()),
    neck=dict(channels=32),
    postprocess=dict(score_threshold=0.001),
"""
FLIPPED = 'transforms=[dict(type="RandomFlip")],'


@dataclass
class Finished:
    """How a command line ended and what it said."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys, monkeypatch):
    """Run train.py or test_video.py with arguments, in this process."""

    def call(program, *arguments):
        monkeypatch.setattr(sys, "argv", [f"{program}.py", *map(str, arguments)])
        code = 0
        try:
            run_command_line(load_program(program).main)
        except SystemExit as end:
            code = end.code or 0
        said = capsys.readouterr()
        return Finished(code, said.out, said.err)

    return call


@pytest.fixture(scope="session")
def tiny_set(tmp_path_factory):
    root = tmp_path_factory.mktemp("set")
    generate_demo_set(root, train_videos=2, valid_videos=3, length=4, size=(64, 96))
    return root


@pytest.fixture(scope="session")
def write_config(tiny_set):
    """Write a config for the tiny set: of a base of configs/_base_, with arguments of the model and of the data set."""

    def write(base, model, reading=FLIPPED, optimizer="AdamW", name=None):
        path = tiny_set / f"{name or base}.py"
        text = CONFIG.format(
            base=str(ROOT / f"configs/_base_/{base}.py"),
            runtime=str(ROOT / "configs/_base_/runtime.py"),
            train=str(tiny_set / "annotations/instances_train.json"),
            train_images=str(tiny_set / "train_images"),
            valid=str(tiny_set / "annotations/instances_valid.json"),
            valid_images=str(tiny_set / "valid_images"),
            model=model,
            reading=reading,
            optimizer=optimizer,
        )
        path.write_text(text)
        return path

    return write


@pytest.fixture(scope="session")
def write_vit_config(write_config):
    """Do the same for a model on a tiny ViT."""

    def write(base, head, **options):
        return write_config(base, f"{TINY_VIT}    head=dict(num_classes=5, norm_groups=8, {head}),\n", **options)

    return write


@pytest.fixture(scope="session")
def config(write_vit_config):
    return write_vit_config("memcnp", "memory=dict(num_slots=8)", name="tiny")


@pytest.fixture(scope="session")
def train_for():
    """Run train.py for a fixture: with a config, a work dir and config values."""

    def call(config, work_dir, *values, options=()):
        program = load_program("train")
        values = ["--cfg-options", *values] if values else []
        arguments = program.parse_arguments([str(config), "--work_dir", str(work_dir), *options, *values])
        launch(program.run_here, 1, "none", arguments)

    return call


@pytest.fixture(scope="session")
def trained(config, train_for, tmp_path_factory):
    """The work dir of a run of two steps."""
    work_dir = tmp_path_factory.mktemp("work")
    train_for(config, work_dir, options=["--validate"])
    return work_dir


@pytest.fixture(scope="session")
def checkpoint(trained):
    return trained / "step_2.pth"


@pytest.fixture
def predict(monkeypatch, capsys):
    """Run tools/predict.py in this process; return its exit code and what it said on stderr."""
    module = load_program("tools/predict")

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["predict.py", *map(str, arguments)])
        code = 0
        try:
            run_command_line(module.main)
        except SystemExit as end:
            code = end.code
        return code, capsys.readouterr().err

    call.module = module
    return call


@pytest.fixture
def frames(tiny_set, tmp_path):
    """A folder of six frames."""
    folder = tmp_path / "frames"
    folder.mkdir()
    images = [path for video in sorted((tiny_set / "valid_images").iterdir()) for path in sorted(video.iterdir())]
    for index, path in enumerate(images[:6]):
        shutil.copy(path, folder / f"{index}{path.suffix}")
    return folder


@pytest.fixture
def on_cpu(predict, config, checkpoint, tmp_path):
    """Track a source into tmp_path/out; return the exit code, what was said, and the json, None without one."""

    def call(*arguments):
        code, said = predict(config, checkpoint, "--out", tmp_path / "out", "--device", "cpu", *arguments)
        written = sorted((tmp_path / "out").glob("*.json"))
        assert not list((tmp_path / "out").glob(".*"))  # nothing unfinished is left
        return code, said, json.loads(written[-1].read_text()) if written else None

    return call
