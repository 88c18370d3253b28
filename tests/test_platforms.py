"""Other systems: what Windows and macOS lack is taken away here, and encodings are never the system's."""

import ast
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmdet.config import load_config
from mmdet.datasets import loader
from mmdet.datasets.synthetic.demo_set import generate_demo_set
from mmdet.datasets.vis_dataset import VISDataset
from mmdet.engine.process import memory
from mmdet.engine.training.run import build_train_dataset
from mmdet.engine.training.work_dir import held_work_dir
from mmdet.fileio import atomic
from mmdet.ops import workers as pool

ROOT = Path(__file__).parents[1]
FILES = sorted([*(ROOT / "mmdet").rglob("*.py"), *(ROOT / "tools").glob("*.py"), ROOT / "setup.py"])
ONLY_POSIX = ("fcntl", "grp", "pwd", "resource", "termios", "tty")
# Run first in a process: what Windows has neither in its standard library nor in `os` and `signal`.
AS_ON_WINDOWS = """
import os, signal, sys
for name in ("fcntl", "grp", "pwd", "resource", "termios", "tty"):
    sys.modules[name] = None
for name in ("SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2", "pthread_sigmask", "sigtimedwait", "SIG_BLOCK", "SIG_SETMASK"):
    delattr(signal, name)
for name in ("pread", "pwrite", "O_NOFOLLOW", "O_CLOEXEC", "sched_getaffinity", "getuid", "O_DIRECTORY"):
    delattr(os, name)
"""


def calls_without_encoding(path):
    """Yield the lines that read or write text in whatever encoding the system has."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        given = {word.arg for word in node.keywords}
        modes = [word for word in node.args if isinstance(word, ast.Constant) and isinstance(word.value, str)]
        is_text = name in ("read_text", "write_text")
        if name == "open" and isinstance(node.func, ast.Name):
            is_text = not any("b" in mode.value for mode in modes[-1:] if len(mode.value) <= 3)
        if name == "open" and isinstance(node.func, ast.Attribute):  # Path.open("w")
            is_text = any(mode.value in ("r", "w", "a", "x") for mode in modes) and node.func.value != "av"
        positional = len(node.args) > (1 if name == "write_text" else 0) and is_text and name != "open"
        if is_text and "encoding" not in given and not positional and not is_container(node):
            yield node.lineno


def is_container(node):
    """Whether a call opens a video or a member of an archive instead of a text file."""
    return isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") in ("av", "archive")


def test_text_files_have_their_encoding_given():
    found = {str(path.relative_to(ROOT)): list(calls_without_encoding(path)) for path in FILES}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_what_only_posix_has_is_imported_where_its_absence_is_thought_of():
    found = {}
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        tried = {id(child) for node in ast.walk(tree) if isinstance(node, ast.Try) for child in ast.walk(node)}
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            if id(node) not in tried and any(name in ONLY_POSIX for name in names):
                found[path.name] = names
    assert found == {}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    root = tmp_path_factory.mktemp("set")
    generate_demo_set(root, train_videos=1, valid_videos=1, length=3, size=(64, 96))
    return root


def test_a_model_trains_tests_and_tracks_without_what_windows_lacks(tmp_path, tiny):
    values = [
        f"data.{part}.{key}={tiny / (name if key == 'ann_file' else images)}"
        for part, name, images in (
            ("train.datasets.0", "annotations/instances_train.json", "train_images"),
            ("test.dataset", "annotations/instances_valid.json", "valid_images"),
        )
        for key in ("ann_file", "img_prefix")
    ]
    work = tmp_path / "work"
    options = ["--cfg-options", "schedule.steps=1", "data.train.workers=0", "data.test.workers=0", *values]
    commands = [
        ["train", "memcnp_demo", "--work_dir", str(work), *options],
        [
            "test",
            "memcnp_demo",
            str(work / "epoch_1.pth"),
            "--out",
            str(tmp_path / "r.pkl"),
            "--eval",
            "segm",
            *options,
        ],
        [
            "predict",
            "memcnp_demo",
            str(work / "epoch_1.pth"),
            str(tiny / "valid_images" / "valid_0000"),
            "--out",
            str(tmp_path / "out"),
        ],
    ]
    code = (
        AS_ON_WINDOWS
        + f"""
from mmdet.cli.main import main
for words in {commands!r}:
    sys.argv = ["memcnp", *words]
    try:
        main()
    except SystemExit as end:
        assert not end.code, (words, end.code)
"""
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=200)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "r.pkl.json").exists()
    assert list((tmp_path / "out").rglob("*.mp4"))


def test_a_system_that_opens_no_folders_writes_files_all_the_same(tmp_path, monkeypatch):
    opened = os.open

    def of_windows(path, *arguments, **settings):
        if Path(path).is_dir():
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **settings)

    monkeypatch.setattr(os, "open", of_windows)
    atomic.write_text_atomically(tmp_path / "new.txt", "text")
    assert (tmp_path / "new.txt").read_text() == "text"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_work_dir_is_used_without_locks_where_there_are_none(tmp_path, monkeypatch):
    from mmdet.fileio import locks

    monkeypatch.setattr(locks, "fcntl", None)
    with held_work_dir(tmp_path / "work"), held_work_dir(tmp_path / "work"):
        (tmp_path / "work" / "kept").touch()
    assert (tmp_path / "work" / "kept").exists()


def test_stop_signals_are_those_that_the_system_has():
    code = """
from mmdet.datasets.workers import signals_held_back
from mmdet.engine.process.signals import CAUGHT, StopSignals
with signals_held_back(), StopSignals() as stop:
    signal.raise_signal(signal.SIGTERM)
print(*(number.name for number in CAUGHT), signal.Signals(stop.received).name)
"""
    ended = subprocess.run([sys.executable, "-c", AS_ON_WINDOWS + code], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["SIGTERM", "SIGINT", "SIGTERM"]


def test_memory_is_told_by_what_the_system_has(monkeypatch, tmp_path):
    resident = memory.resident_bytes()
    assert 2**20 < resident <= memory.peak_resident_bytes() * 1.1
    monkeypatch.setattr(memory, "_STATUS", tmp_path / "none")
    assert memory.resident_bytes() == memory.peak_resident_bytes()
    monkeypatch.setattr(memory, "resource", None)
    assert memory.resident_bytes() == 0


def test_the_name_of_the_processor_needs_no_proc(monkeypatch, tmp_path):
    from mmdet.benchmark import report

    monkeypatch.setattr(report, "_CPUINFO", tmp_path / "none")
    monkeypatch.setattr(report.platform, "processor", lambda: "a processor")
    assert report._cpu_name() == "a processor"


@pytest.mark.parametrize("has_server", [True, False], ids=["with a fork server", "as on Windows"])
def test_work_is_shared_out_in_order(monkeypatch, has_server):
    if not has_server:
        monkeypatch.setattr(pool.multiprocessing, "get_all_start_methods", lambda: ["spawn"])
    assert pool.in_processes(abs, [-3, 2, -1], 2, "math") == [3, 2, 1]


def test_data_workers_that_are_spawned_give_what_forked_ones_give(tiny, monkeypatch):
    data = VISDataset(
        str(tiny / "annotations" / "instances_valid.json"), str(tiny / "valid_images"), [], test_mode=True
    )
    found = []
    for way in ("fork", "spawn"):
        monkeypatch.setattr(loader, "_START_WORKERS_BY", way)
        found.append([batch.images for batch in loader.make_test_loader(data, [0], 2, workers=1)])
    assert [images.shape[0] for images in found[0]] == [2, 1]
    assert all(torch.equal(one, two) for one, two in zip(*found, strict=True))


def test_a_training_set_goes_to_a_spawned_worker(tiny):
    set_of_train = {"ann_file": tiny / "annotations" / "instances_train.json", "img_prefix": tiny / "train_images"}
    data = load_config("memcnp_demo", [f"data.train.datasets.0.{key}={path}" for key, path in set_of_train.items()])
    clips = build_train_dataset(data)
    again = pickle.loads(pickle.dumps(clips))
    assert type(again) is type(clips)
    assert len(again) == len(clips) > 0
