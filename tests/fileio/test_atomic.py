"""Files that are written whole or not at all."""

import pytest

from mmdet.errors import UserError
from mmdet.fileio.atomic import remove_unfinished, write_atomically


def test_a_file_appears_with_its_folder(tmp_path):
    path = tmp_path / "new" / "file"
    write_atomically(path, lambda file: file.write(b"whole"))
    assert path.read_bytes() == b"whole"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(file):
        file.write(b"part")
        raise OSError("No space left on device")

    with pytest.raises(UserError, match="file cannot be written: No space left"):
        write_atomically(path, fail)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_atomically(tmp_path / "file" / "inside", lambda file: file.write(b""))


def test_the_reason_is_the_disks_and_not_what_a_library_made_of_it(tmp_path):
    def fail(file):
        try:
            raise OSError(28, "No space left on device")
        except OSError:
            raise RuntimeError("[enforce fail] unexpected pos 768\nframe #0") from None

    with pytest.raises(UserError) as caught:
        write_atomically(tmp_path / "file", fail)
    assert str(caught.value) == f"{tmp_path / 'file'} cannot be written: No space left on device"


def test_what_a_killed_writer_left_is_removed_by_the_name_of_its_file(tmp_path):
    for name in (".a.pth.12.tmp", ".a.pth.0123456789ab.tmp", ".b.json.12.tmp", "a.pth", ".a.pth.mine.tmp"):
        (tmp_path / name).touch()
    remove_unfinished(tmp_path, "*.pth")
    assert {path.name for path in tmp_path.iterdir()} == {".b.json.12.tmp", "a.pth", ".a.pth.mine.tmp"}


def test_a_foreign_file_of_a_temporary_name_is_not_written_over(tmp_path, monkeypatch):
    monkeypatch.setattr("mmdet.fileio.atomic.secrets.token_hex", lambda size: "guessed")
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / ".file.guessed.tmp").symlink_to(victim)
    with pytest.raises(UserError, match="File exists"):
        write_atomically(tmp_path / "file", lambda file: file.write(b"whole"))
    assert victim.read_text() == "mine"
    assert (tmp_path / ".file.guessed.tmp").is_symlink()


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "file").symlink_to(victim)
    write_atomically(tmp_path / "file", lambda file: file.write(b"whole"))
    assert victim.read_text() == "mine"
    assert (tmp_path / "file").read_bytes() == b"whole"
    assert not (tmp_path / "file").is_symlink()


def test_a_device_is_not_replaced_by_a_file():
    with pytest.raises(UserError, match="a device or a pipe"):
        write_atomically("/dev/null", lambda file: file.write(b"whole"))
