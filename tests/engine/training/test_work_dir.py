"""What a run leaves in its folder before it starts."""

import json
import multiprocessing
import os
import re
import subprocess

import pytest
from mmengine.config import Config

from mmdet.engine.training import work_dir
from mmdet.engine.training.run_about import RunAbout, describe_environment, git_revision
from mmdet.errors import UserError


class SomeConfig:
    """As much of a RunConfig as is read."""

    name = "some"

    def __init__(self, folder):
        (folder / "some.py").write_text("lr = 0.5\n")
        self.source = Config.fromfile(str(folder / "some.py"))


def prepare(folder, config):
    about = RunAbout(environment=describe_environment(), config=config.source.pretty_text)
    work_dir.prepare_work_dir(folder, config, about)
    return about


def test_config_and_environment_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["train.py", "some.py", "--seed", "3"])
    folder = tmp_path / "new" / "run"
    prepare(folder, SomeConfig(tmp_path))
    assert "lr = 0.5" in (folder / "resolved_config.py").read_text()
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["command"].endswith("train.py some.py --seed 3")
    assert {"python", "torch", "numpy"} <= environment["versions"].keys()


def test_a_second_start_keeps_what_the_first_said(tmp_path, monkeypatch):
    for turn in "abc":
        monkeypatch.setattr("sys.argv", ["train.py", turn])
        about = prepare(tmp_path / "run", SomeConfig(tmp_path))
        assert about.config == "lr = 0.5\n"
    environment = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert environment["command"].endswith("train.py c")
    assert [start["command"][-1] for start in environment["earlier"]] == ["a", "b"]


def test_a_damaged_environment_of_an_earlier_start_does_no_harm(tmp_path):
    (tmp_path / "environment.json").write_text('{"comm')
    prepare(tmp_path, SomeConfig(tmp_path))
    assert "earlier" not in json.loads((tmp_path / "environment.json").read_text())
    assert (tmp_path / "environment.1.json").read_text() == '{"comm'


@pytest.mark.parametrize(
    "content",
    ["[]", "5", '{"channels": ["conda"]}', '{"command": "", "versions": {}, "earlier": 5}', "[" * 100_000, "\xff"],
)
def test_an_environment_of_somebody_else_is_kept_under_another_name(tmp_path, content):
    (tmp_path / "environment.json").write_text(content, encoding="latin-1")
    prepare(tmp_path, SomeConfig(tmp_path))
    assert (tmp_path / "environment.1.json").read_text(encoding="latin-1") == content
    assert "versions" in json.loads((tmp_path / "environment.json").read_text())


def test_a_resolved_config_of_somebody_else_is_kept_under_another_name(tmp_path):
    (tmp_path / "resolved_config.py").write_text("mine = 1\n")
    for _ in range(2):
        prepare(tmp_path, SomeConfig(tmp_path))
    assert (tmp_path / "resolved_config.1.py").read_text() == "mine = 1\n"
    assert "lr = 0.5" in (tmp_path / "resolved_config.py").read_text()
    assert not (tmp_path / "resolved_config.2.py").exists()


def test_a_run_of_a_resolved_config_in_its_own_folder_does_not_replace_it(tmp_path):
    config = SomeConfig(tmp_path)
    prepare(tmp_path, config)
    config.source = Config.fromfile(str(tmp_path / "resolved_config.py"))
    before = (tmp_path / "resolved_config.py").read_text()
    prepare(tmp_path, config)
    config.source.lr = 0.1  # by --cfg-options
    with pytest.raises(UserError, match="is the input"):
        prepare(tmp_path, config)
    assert (tmp_path / "resolved_config.py").read_text() == before


def test_no_link_of_a_work_dir_is_written_through(tmp_path):
    folder, victim = tmp_path / "run", tmp_path / "victim"
    folder.mkdir()
    victim.write_text("mine")
    for name in ("resolved_config.py", "environment.json"):
        (folder / name).symlink_to(victim)
    prepare(folder, SomeConfig(tmp_path))
    for name in ("train.log", "train.jsonl", "tensorboard"):
        (folder / name).symlink_to(victim)
        with pytest.raises(UserError, match=f"{name} is a link"):
            work_dir.check_work_dir(folder, [], new_run=False)
        (folder / name).unlink()
    (folder / "train.log").mkdir()
    with pytest.raises(UserError, match=r"train.log is no file"):
        work_dir.check_work_dir(folder, [], new_run=False)
    (folder / "train.log").rmdir()
    (folder / "tensorboard").touch()
    with pytest.raises(UserError, match="tensorboard is no folder"):
        work_dir.check_work_dir(folder, [], new_run=False)
    (folder / ".lock").symlink_to(victim)
    with pytest.raises(UserError, match="work dir .* cannot be written"), work_dir.held_work_dir(folder):
        pass
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("name", ["best.pth", "epoch_3.pth", "step_7.pth", "train.log"])
def test_an_input_that_a_run_would_write_over_is_refused(tmp_path, name):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / name).touch()
    (tmp_path / "link.pth").symlink_to(folder / name)
    for source in (folder / name, tmp_path / "link.pth", folder / ".." / "run" / name):
        with pytest.raises(UserError, match="this run would overwrite it"):
            work_dir.check_work_dir(folder, [source], new_run=True)
    work_dir.check_work_dir(tmp_path / "other", [folder / name], new_run=True)


def test_checkpoints_that_are_not_of_a_run_in_the_folder_are_not_written_over(tmp_path):
    (tmp_path / "epoch_12.pth").touch()
    with pytest.raises(UserError, match=r"epoch_12.pth is not of a run in this folder"):
        work_dir.check_work_dir(tmp_path, [], new_run=True)
    prepare(tmp_path, SomeConfig(tmp_path))
    work_dir.check_work_dir(tmp_path, [], new_run=True)


def hold(folder, held, leave):
    with work_dir.held_work_dir(folder):
        held.set()
        leave.wait()


@pytest.mark.parametrize("end", ["by itself", "killed"])
def test_a_second_run_in_a_work_dir_is_refused_until_the_first_is_gone(tmp_path, end):
    context = multiprocessing.get_context("spawn")
    held, leave = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path, held, leave), daemon=True)
    other.start()
    assert held.wait(60)
    with (
        pytest.raises(UserError, match=f"is in use by another run .*process {other.pid} on .*--work_dir"),
        work_dir.held_work_dir(tmp_path),
    ):
        pass
    other.kill() if end == "killed" else leave.set()
    other.join()
    with work_dir.held_work_dir(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="work dir .* cannot be written"):
        prepare(tmp_path / "file" / "run", SomeConfig(tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_refused(tmp_path):
    (tmp_path / "run").mkdir(mode=0o500)
    with pytest.raises(UserError, match="--work_dir"):
        prepare(tmp_path / "run", SomeConfig(tmp_path))


def test_outside_of_a_checkout_there_is_no_revision(tmp_path):
    assert git_revision(tmp_path) is None


def test_a_package_installed_inside_of_a_repository_does_not_have_its_revision(tmp_path):
    installed = tmp_path / ".venv" / "mmdet"
    installed.mkdir(parents=True)
    (installed / "__init__.py").touch()
    (tmp_path / "tracked.py").touch()
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "tracked.py"], [*identity, "commit", "-qm", "first"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    assert re.fullmatch(r"[0-9a-f]{40}", git_revision(tmp_path))
    assert git_revision(installed) is None
