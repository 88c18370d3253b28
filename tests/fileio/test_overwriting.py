"""Outputs that are inputs are refused by the files' identity, whatever they are called."""

import os
from pathlib import Path

import pytest

from mmdet.errors import UserError
from mmdet.fileio.overwriting import check_output_file, check_output_folder, refuse_overwriting


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "data" / "source.json"
    path.parent.mkdir()
    path.write_text("{}")
    return path


def test_an_output_that_does_not_exist_yet_is_no_input(source):
    refuse_overwriting([source.with_name("new.json"), None], [source, None, source.with_name("missing.json")])


def test_an_output_of_the_same_name_is_refused(source):
    with pytest.raises(UserError, match=r"output .*source.json is the input .*source.json"):
        refuse_overwriting([str(source)], [source])


def test_an_output_by_another_path_is_refused(source, monkeypatch):
    monkeypatch.chdir(source.parent)
    with pytest.raises(UserError, match="is the input"):
        refuse_overwriting([Path("../data/source.json")], [source])


@pytest.mark.parametrize("link", [os.symlink, os.link], ids=["symbolic", "hard"])
def test_an_output_that_is_a_link_to_the_input_is_refused(source, link):
    other = source.with_name("other.json")
    link(source, other)
    for output, given in ((other, source), (source, other)):
        with pytest.raises(UserError, match="is the input"):
            refuse_overwriting([output], [given])


def test_an_output_folder_behind_a_link_that_holds_an_input_is_refused(source, tmp_path):
    (tmp_path / "link").symlink_to(source.parent)
    with pytest.raises(UserError, match="link holds the input .*source.json and would be filled"):
        refuse_overwriting([tmp_path / "link"], [source])


def test_a_file_of_an_input_folder_is_no_output(source):
    with pytest.raises(UserError, match="is a file of the input folder"):
        refuse_overwriting([source], [source.parent])
    refuse_overwriting([source.with_name("new.json")], [source.parent])


def test_another_folder_above_the_inputs_may_be_filled(source, tmp_path):
    refuse_overwriting([tmp_path, tmp_path / "other"], [source])


def test_two_outputs_of_one_name_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="one output file"):
        refuse_overwriting([tmp_path / "out.json", "out.json"], [])
    with pytest.raises(UserError, match="one output file"):
        refuse_overwriting(["new/out.json", tmp_path / "new" / "out.json"], [])
    refuse_overwriting(["out.json", "out.mp4", "new/out.json"], [])


def test_a_folder_in_place_of_an_output_file_is_named(tmp_path):
    with pytest.raises(UserError, match="--out .* is a folder, expected the name of a file"):
        check_output_file(tmp_path, "--out")


def test_a_file_in_place_of_an_output_folder_is_named(source, tmp_path):
    for check in (check_output_file, check_output_folder):
        with pytest.raises(UserError, match=r"--out .* cannot be written: .*source.json is a file, expected a folder"):
            check(source / "inside" / "of", "--out")
    with pytest.raises(UserError, match="--save_vis_path .*source.json is a file"):
        check_output_folder(source, "--save_vis_path")
    check_output_file(tmp_path / "new" / "folder" / "out.json", "--out")
    check_output_folder(tmp_path / "new" / "folder", "--out")


def test_a_device_is_no_output_file():
    with pytest.raises(UserError, match="--out /dev/null is a device"):
        check_output_file("/dev/null", "--out")


def test_a_path_that_no_file_can_have_is_refused():
    with pytest.raises(UserError, match="--out"):
        check_output_file("folder\0name/out.json", "--out")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="read-only"):
        check_output_file(tmp_path / "out.json", "--out")
