"""What a run leaves in its folder before it starts."""

import json
import os

import pytest
from mmengine.config import Config

from mmdet.engine import work_dir
from mmdet.errors import UserError


class SomeConfig:
    """As much of a RunConfig as is read."""

    name = "some"

    def __init__(self, folder):
        (folder / "some.py").write_text("lr = 0.5\n")
        self.source = Config.fromfile(str(folder / "some.py"))


def test_config_and_environment_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["train.py", "some.py", "--seed", "3"])
    folder = tmp_path / "new" / "run"
    work_dir.prepare_work_dir(folder, SomeConfig(tmp_path))
    assert "lr = 0.5" in (folder / "some.py").read_text()
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["command"].endswith("train.py some.py --seed 3")
    assert {"python", "torch", "numpy"} <= environment["versions"].keys()


def test_a_second_start_keeps_what_the_first_said(tmp_path, monkeypatch):
    for turn in "abc":
        monkeypatch.setattr("sys.argv", ["train.py", turn])
        about = work_dir.prepare_work_dir(tmp_path / "run", SomeConfig(tmp_path))
        assert "earlier" not in about["environment"]
        assert about["config"] == "lr = 0.5\n"
    environment = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert environment["command"].endswith("train.py c")
    assert [start["command"][-1] for start in environment["earlier"]] == ["a", "b"]


def test_a_damaged_environment_of_an_earlier_start_does_no_harm(tmp_path):
    (tmp_path / "environment.json").write_text('{"comm')
    work_dir.prepare_work_dir(tmp_path, SomeConfig(tmp_path))
    assert "earlier" not in json.loads((tmp_path / "environment.json").read_text())


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="work dir .* cannot be written"):
        work_dir.prepare_work_dir(tmp_path / "file" / "run", SomeConfig(tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_refused(tmp_path):
    (tmp_path / "run").mkdir(mode=0o500)
    with pytest.raises(UserError, match="--work_dir"):
        work_dir.prepare_work_dir(tmp_path / "run", SomeConfig(tmp_path))


def test_outside_of_a_checkout_there_is_no_revision(tmp_path, monkeypatch):
    monkeypatch.setattr(work_dir, "__file__", str(tmp_path / "work_dir.py"))
    assert work_dir.git_revision() is None
