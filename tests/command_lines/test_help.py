"""Every command line: what it says before there is work is said at once, and its options are of one dialect."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mmdet.cli.data import make_demo_data
from mmdet.datasets.synthetic.demo_set import DemoParameters

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted([ROOT / "train.py", ROOT / "test_video.py", *(ROOT / "tools").glob("*.py")])
HEAVY = {"torch", "torchvision", "mmengine", "cv2", "timm", "av", "scipy"}
TAKE_A_CONFIG = {
    "train": ["{}"],
    "test_video": ["{}", "c.pth"],
    "predict": ["{}", "c.pth", "v.mp4"],
    "benchmark": ["{}"],
    "browse_dataset": ["{}"],
    "export": ["{}", "c.pth", "--size", "64", "96"],
    "measure_memory": ["--config={}"],
}


def start(program, *words, cwd=ROOT):
    """Run a program and return how it ended and which packages it imported."""
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", str(program), *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        timeout=120,
    )
    lines = ended.stderr.splitlines()
    timings = [line for line in lines if line.startswith("import time:")]
    ended.stderr = "\n".join(line for line in lines if line not in set(timings))
    return ended, {line.split("|")[-1].strip().split(".")[0] for line in timings}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_help_imports_nothing_that_only_the_work_needs(program):
    ended, imported = start(program, "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("usage: ")
    assert "mmdet" in imported
    assert not imported & HEAVY


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_a_wrong_option_is_told_as_fast_as_help(program):
    ended, imported = start(program, "--no-such-option")
    assert ended.returncode == 2
    assert "error:" in ended.stderr
    assert not imported & HEAVY


@pytest.mark.parametrize(("name", "words"), TAKE_A_CONFIG.items())
@pytest.mark.parametrize("config", ["nowhere.py", "README.md"])
def test_a_config_that_is_none_is_told_as_fast_as_help(name, words, config):
    program = next(path for path in PROGRAMS if path.stem == name)
    ended, imported = start(program, *(word.format(config) for word in words))
    assert ended.returncode == 2
    assert re.fullmatch(rf"{name}.py: config {config}[: ].*", ended.stderr)
    assert not imported & HEAVY


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_every_option_may_have_dashes_or_underscores(program):
    shown = start(program, "--help")[0].stdout
    options = set(re.findall(r"--[a-z][a-z_-]+", shown.partition("options:")[2]))
    for option in options:
        assert f"--{option[2:].replace('-', '_')}" in options
        assert f"--{option[2:].replace('_', '-')}" in options


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("train.py", ["wörk/nö.py"]),
        ("test_video.py", ["nö.py", "c.pth"]),
        ("tools/check_data.py", ["nö.json"]),
        ("tools/eval_results.py", ["nö.json", "ü.json"]),
    ],
)
def test_a_name_that_the_locale_cannot_print_is_escaped(program, words):
    environment = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    ended = subprocess.run(
        [sys.executable, str(ROOT / program), *words], capture_output=True, check=False, env=environment, timeout=120
    )
    lines = ended.stderr.decode("ascii").splitlines()
    assert ended.returncode == 2
    assert len(lines) == 1
    assert "n\\udcc3\\udcb6.{}".format(words[0].rpartition(".")[2]) in lines[0]
    assert "does not exist" in lines[0] or "No such file" in lines[0]


def test_choices_and_defaults_of_the_tools_are_those_of_the_package(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["make_demo_data.py"])
    given = vars(make_demo_data.parse_arguments())
    assert DemoParameters(**{name: value for name, value in given.items() if name != "root"}) == DemoParameters()
