"""Configs are found by their names, in any folder."""

from pathlib import Path

import pytest

from mmdet.config.names import CONFIGS, find_config
from mmdet.errors import UserError


@pytest.mark.parametrize("name", ["memcnp_demo", "memcnp_demo.py", "demo/memcnp_demo", "configs/demo/memcnp_demo.py"])
def test_a_config_is_found_by_its_name_in_any_folder(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config(name) == CONFIGS / "demo" / "memcnp_demo.py"


def test_a_file_comes_before_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("memcnp_demo.py").write_text("")
    assert find_config("memcnp_demo.py") == Path("memcnp_demo.py")


def test_an_unknown_name_is_an_error_with_similar_names():
    with pytest.raises(UserError, match="config memcnp_dmo does not exist: .*did you mean memcnp_demo"):
        find_config("memcnp_dmo")


def test_parts_of_configs_have_no_name():
    with pytest.raises(UserError, match="runtime"):
        find_config("runtime")


def test_no_two_configs_share_a_name():
    files = [path for path in CONFIGS.rglob("*.py") if "_base_" not in path.parts]
    assert [find_config(path.stem) for path in files] == files
