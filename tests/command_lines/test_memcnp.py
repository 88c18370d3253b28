"""The command `memcnp`: its table, its help, and that command, module and script are one program."""

import os
import re
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmdet import __version__
from mmdet.cli.commands import COMMANDS
from mmdet.config.names import named_configs

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "torchvision", "mmengine", "cv2", "timm", "av", "scipy", "numpy"}
SCRIPTS = {
    path: match[1]
    for path in sorted([ROOT / "train.py", ROOT / "test_video.py", *(ROOT / "tools").glob("*.py")])
    if (match := re.search(r"^from (mmdet\.cli\.[\w.]+) import main$", path.read_text(), re.MULTILINE))
}
# What pip writes for a console command.
CONSOLE = "import sys\nfrom mmdet.cli.main import main\nif __name__ == '__main__':\n    sys.exit(main())\n"


def memcnp(*words, options=(), **settings):
    """Run `python -m mmdet` and return how it ended."""
    command = [sys.executable, *options, "-m", "mmdet", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **settings)


@pytest.mark.parametrize("words", [["--help"], ["-h"], []], ids=" ".join)
def test_its_help_has_a_line_for_every_command_and_imports_nothing_heavy(words):
    ended = memcnp(*words, options=["-X", "importtime"])
    lines = ended.stderr.splitlines()
    assert ended.returncode == 0
    assert all(line.startswith("import time:") for line in lines)
    assert not {line.split("|")[-1].strip().split(".")[0] for line in lines} & HEAVY
    described = dict(re.findall(r"^  ([a-z-]+)  +(\S.*)$", ended.stdout, re.MULTILINE))
    assert described == {command.name: command.summary for command in COMMANDS}


def test_its_version_is_that_of_the_package():
    assert memcnp("--version").stdout == f"memcnp {__version__}\n"


def test_an_unknown_command_is_an_error_with_similar_names():
    ended = memcnp("trian")
    assert ended.returncode == 2
    assert ended.stderr == "memcnp: no command 'trian'; did you mean train? (memcnp --help lists all)\n"


def test_a_command_may_have_underscores():
    assert memcnp("make_demo_data", "--help").stdout.startswith("usage: memcnp make-demo-data ")


def test_no_two_commands_share_a_name():
    assert len({command.name for command in COMMANDS}) == len(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_help_of_a_command_names_it_and_is_that_of_its_script(command):
    said = memcnp(command.name, "--help").stdout
    assert said.startswith(f"usage: memcnp {command.name} ")
    scripts = [path for path, module in SCRIPTS.items() if module == f"mmdet.cli.{command.module}"]
    for script in scripts:
        of_script = subprocess.run(
            [sys.executable, script, "--help"], capture_output=True, text=True, check=True
        ).stdout
        named = of_script.replace(script.name, f"memcnp {command.name}")
        assert "".join(named.split()) == "".join(said.split())  # a longer name breaks lines elsewhere


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_is_two_lines_around_the_main_of_a_command(script):
    by_module = {f"mmdet.cli.{command.module}": command for command in COMMANDS}
    assert runpy.run_path(str(script))["main"] is by_module[SCRIPTS[script]].load()
    assert f"`memcnp {by_module[SCRIPTS[script]].name}`" in script.read_text()
    assert len(script.read_text().splitlines()) < 10


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["test", "nowhere.py", "c.pth"], 2, r"memcnp test: config nowhere\.py does not exist: .*"),
        (["check-data", "nowhere.json"], 2, r"FAULT: annotation file nowhere\.json does not exist.*"),
        (["train", "memcnp_demo", "--gpus", "0"], 2, r"memcnp train: --gpus 0: expected 1 or more"),
    ],
)
def test_a_mistake_ends_it_as_it_ends_the_script(words, code, said, tmp_path):
    ended = memcnp(*words, cwd=tmp_path)
    assert ended.returncode == code
    assert re.fullmatch(said, ended.stderr.strip())


def test_an_output_that_nobody_reads_any_more_is_no_error():
    command = f"{sys.executable} -m mmdet configs | head -1; echo ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, cwd=ROOT)
    first, code = ended.stdout.splitlines()
    assert (first, ended.stderr) == (next(iter(named_configs())), "")
    assert code in ("0", "141")  # 0 if all was written before the reader left


@pytest.mark.dist
def test_the_console_command_trains_in_several_processes(config, tmp_path):
    (tmp_path / "memcnp").write_text(CONSOLE)
    words = ["train", config, "--work_dir", tmp_path / "work", "--gpus", 2, "--cfg-options", "data.train.batch_size=1"]
    command = [sys.executable, str(tmp_path / "memcnp"), *map(str, words)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "work" / "step_2.pth").exists()
    assert "memcnp train " in (tmp_path / "work" / "environment.json").read_text()


def test_a_signal_stops_it_as_it_stops_the_script(config, tmp_path):
    work = tmp_path / "work"
    words = ["train", config, "--work_dir", work, "--cfg-options", "schedule.steps=100000"]
    command = [sys.executable, "-m", "mmdet", *map(str, words)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 100
        while not (work / "train.jsonl").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGTERM)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + signal.SIGTERM
    assert re.search(r"^memcnp train: stopped by SIGTERM", said, re.MULTILINE), said
    assert list(work.glob("step_*.pth"))
