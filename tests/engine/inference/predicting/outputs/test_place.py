"""Where outputs go: everything at once, whole, and over nothing that is not ours."""

import errno
from pathlib import Path

import pytest
from made_predictions import make_video

from mmdet.engine.inference.predicting.outputs.place import Place
from mmdet.errors import UserError


class Files:
    """A writer of given files; `fails` at its end."""

    def __init__(self, path, names, fails=None):
        self.path, self.names, self.fails = Path(path), names, fails

    def open(self, folder, start):
        self.folder = folder

    def finish(self, video):
        if self.fails:
            raise self.fails
        for name in self.names:
            file = self.folder / self.path / name if name else self.folder / self.path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("new")


def finish(out, *sinks, write=lambda file: file.write(b"{}")):
    place = Place(out, "clip", sinks)
    place.open(None)
    try:
        place.finish(make_video(), write)
    finally:
        assert not list(out.glob(".*"))  # nothing unfinished is left
    return place


def names_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_outputs_are_hidden_until_the_end(tmp_path):
    place = Place(tmp_path, "clip", [sink := Files("clip.mp4", [""])])
    place.open(None)
    assert sink.folder.name.startswith(".clip.")
    assert not (tmp_path / "clip.mp4").exists()
    place.finish(make_video(), lambda file: file.write(b"{}"))
    assert names_in(tmp_path) == ["clip.json", "clip.mp4"]
    assert place.written == [tmp_path / "clip.json", tmp_path / "clip.mp4"]


def test_pictures_of_an_earlier_longer_run_go_and_other_files_stay(tmp_path):
    names = ["00000.jpg", "00001.jpg", "7_ring/00000.jpg", "8_disk/00000.jpg"]
    finish(tmp_path, Files("clip/crops", names))
    (tmp_path / "clip/crops/notes.txt").touch()
    (tmp_path / "clip/crops/7_ring/mine.jpg").touch()
    finish(tmp_path, Files("clip/crops", ["00000.jpg", "9_disk/00000.jpg"]))
    assert names_in(tmp_path / "clip/crops") == ["00000.jpg", "7_ring/mine.jpg", "9_disk/00000.jpg", "notes.txt"]
    assert not (tmp_path / "clip/crops/8_disk").exists()


def test_an_output_that_fails_does_not_take_the_others_along(tmp_path):
    with pytest.raises(OSError, match="No space left"):
        finish(tmp_path, Files("clip.mp4", [], OSError(errno.ENOSPC, "No space left")), Files("clip/a.csv", [""]))
    assert names_in(tmp_path) == ["clip.json", "clip/a.csv"]


def full(file):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_what_is_done_stays_without_its_json_unless_an_older_json_would_describe_it(tmp_path):
    with pytest.raises(UserError, match="No space left"):
        finish(tmp_path, Files("clip.mp4", [""]), write=full)
    assert names_in(tmp_path) == ["clip.mp4"]
    (tmp_path / "clip.mp4").unlink()
    (tmp_path / "clip.json").write_text("older")
    with pytest.raises(UserError, match="No space left"):
        finish(tmp_path, Files("clip.mp4", [""]), write=full)
    assert names_in(tmp_path) == ["clip.json"]
    assert (tmp_path / "clip.json").read_text() == "older"
