"""`memcnp configs`: the configs that come along, what they reached, and copies to start from."""

import re
import sys

import pytest

from mmdet.cli import configs
from mmdet.config import load_config
from mmdet.config.names import CONFIGS, named_configs
from mmdet.engine.process.endings import end_of


@pytest.fixture
def tool(monkeypatch, capsys):
    def call(*words):
        monkeypatch.setattr(sys, "argv", ["memcnp configs", *map(str, words)])
        end = end_of(configs.main)
        return end and end.message, capsys.readouterr().out

    return call


def test_all_are_listed_with_what_they_are_and_what_they_reached(tool):
    _, said = tool()
    entries = {entry.splitlines()[0]: entry.splitlines()[1:] for entry in said.split("\n\n")}
    assert list(entries) == list(named_configs())
    assert all(len(lines) == 2 for lines in entries.values())
    assert entries["vitmae_cnp_contrast_ms_1x"][0].strip().startswith("MemCNP-VIS as published: ViT-B")
    assert re.search(r"AP 0\.\d", entries["demo/memcnp_demo"][1])


def test_every_config_says_what_it_reached(tool):
    assert "says nothing of results" not in tool()[1]


def test_one_is_described_by_its_file_and_its_docstring(tool):
    _, said = tool("memcnp_demo")
    assert said.startswith(f"{CONFIGS / 'demo' / 'memcnp_demo.py'}\n\nA small MemCNP-VIS")
    assert "\nCost " in said


@pytest.mark.parametrize("name", named_configs())
def test_a_copy_is_the_same_config_and_needs_no_other_file(tool, name, tmp_path):
    assert tool(name, "--copy", tmp_path)[0] is None
    copied, original = (load_config(path) for path in (tmp_path / f"{name}.py", named_configs()[name]))
    assert copied.source.to_dict() == original.source.to_dict()


def test_a_copy_names_what_was_written(tool, tmp_path):
    _, said = tool("own_data", "--copy", tmp_path / "mine")
    assert said.startswith(f"{tmp_path / 'mine' / 'own_data.py'}: yours to change; it builds on ")
    assert f"{tmp_path / 'mine' / '_base_' / 'memcnp.py'}" in said


def test_a_copy_writes_over_nothing(tool, tmp_path):
    (tmp_path / "own_data.py").write_text("mine")
    said, _ = tool("own_data", "--copy", tmp_path)
    assert re.search("own_data.py exist already; name another folder", said)
    assert [path.name for path in tmp_path.rglob("*")] == ["own_data.py"]
    assert (tmp_path / "own_data.py").read_text() == "mine"


def test_a_config_of_ones_own_is_not_copied(tool, tmp_path):
    (tmp_path / "mine.py").write_text("")
    assert "is not of configs/" in tool(tmp_path / "mine.py", "--copy", tmp_path / "copy")[0]


def test_an_unknown_name_is_an_error_with_similar_names(tool):
    assert re.search("did you mean .*memcnp_demo", tool("memcnp_dem")[0])
