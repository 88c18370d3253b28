"""The names of what tracking writes: never another's, never the source's."""

import json

import pytest

from mmdet.engine.inference.tracked_files import TrackedVideo, check_folder, choose_files
from mmdet.errors import UserError
from mmdet.structures import VideoResult


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def finish(out, source):
    files = choose_files(out, source)
    files.unfinished.write_bytes(b"mp4")
    video = TrackedVideo(source=source, size=(4, 6), rate=25.0, times_s=[0.0, 0.04], promised=3, complete=False)
    files.finish(video, VideoResult(video_id=1, size=(4, 6), num_frames=2, tubes=()), ["disc"])
    return files


def source(tmp_path, name, folder=False):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir() if folder else path.write_bytes(name.encode())
    return path


def test_two_sources_of_one_stem_do_not_write_one_file(tmp_path, out):
    names = ["cam.1", "cam.2"]
    assert [finish(out, source(tmp_path, name, folder=True)).mp4.name for name in names] == ["cam.1.mp4", "cam.2.mp4"]
    names = ["a.mp4", "a.mov", "b/a.mov", "c/b/a.mov"]
    written = [finish(out, source(tmp_path, name)).mp4.name for name in names]
    assert written == ["a.mp4", "a.mov.mp4", "b_a.mov.mp4", "b_a.mov-2.mp4"]


def test_a_source_tracked_again_has_its_names_again(tmp_path, out):
    first, other = source(tmp_path, "a.mp4"), source(tmp_path, "a.mov")
    for _ in range(2):
        assert finish(out, first).json.name == "a.json"
        assert finish(out, other).json.name == "a.mov.json"
    assert {path.name for path in out.iterdir()} == {"a.mp4", "a.json", "a.mov.mp4", "a.mov.json"}


@pytest.mark.parametrize("contents", ["{}", "[]", "no json", '{"source": 5}'])
def test_a_file_of_another_program_is_never_replaced(tmp_path, out, contents):
    (out / "a.json").write_text(contents)
    assert finish(out, source(tmp_path, "a.mp4")).json.name == "a.mp4.json"
    assert (out / "a.json").read_text() == contents


def test_a_video_beside_its_folder_of_frames_is_not_replaced(tmp_path):
    clip = source(tmp_path, "d/clip.mp4")
    files = finish(tmp_path / "d", source(tmp_path, "d/clip", folder=True))
    assert files.mp4.name == "d_clip.mp4"
    assert clip.read_bytes() == b"d/clip.mp4"


@pytest.mark.parametrize("way", ["plain", "relative", "link", "linked folder"])
def test_the_source_itself_is_never_replaced(tmp_path, monkeypatch, way):
    clip = source(tmp_path, "d/clip.mp4")
    given, out = clip, tmp_path / "d"
    if way == "relative":
        monkeypatch.chdir(tmp_path / "d")
        given, out = given.__class__("clip.mp4"), given.__class__(".")
    elif way == "link":
        given = tmp_path / "clip.mp4"
        given.symlink_to(clip)
    elif way == "linked folder":
        out = tmp_path / "l"
        out.symlink_to(tmp_path / "d")
    with pytest.raises(UserError, match=r"clip\.mp4"):
        choose_files(out, given)
    assert clip.read_bytes() == b"d/clip.mp4"


def test_the_folder_of_the_working_place_has_its_own_name(tmp_path, out, monkeypatch):
    monkeypatch.chdir(source(tmp_path, "frames", folder=True))
    assert choose_files(out, out.__class__(".")).mp4.name == "frames.mp4"


def test_the_json_says_what_the_video_is(tmp_path, out):
    files = finish(out, source(tmp_path, "a.mp4"))
    assert json.loads(files.json.read_text()) == {
        "source": str(tmp_path / "a.mp4"),
        "video": {
            **{"height": 4, "width": 6, "fps": 25.0, "frames": 2, "frames_promised": 3, "complete": False},
            "times": [0.0, 0.04],
        },
        "categories": [{"id": 0, "name": "disc"}],
        "tracks": [],
    }


@pytest.mark.parametrize("name", ["result.mp4", "result.MOV", "result.json"])
def test_a_folder_named_like_a_file_is_refused(tmp_path, name):
    with pytest.raises(UserError, match=f"--out .*{name} is named like a file: give the folder"):
        check_folder(tmp_path / name)
    (tmp_path / name).mkdir()
    check_folder(tmp_path / name)


def test_a_file_cannot_be_the_folder(tmp_path):
    (tmp_path / "taken").touch()
    with pytest.raises(UserError, match="--out .*taken cannot be written: .* is a file"):
        check_folder(tmp_path / "taken")


def test_an_mp4_whose_json_cannot_be_written_stays_unless_an_older_json_lies_there(tmp_path, out, monkeypatch):
    clip, again = source(tmp_path, "a.mp4"), source(tmp_path, "b.mp4")
    old = finish(out, again)
    old.mp4.unlink()

    def full(path, write):
        raise UserError(f"{path} cannot be written: No space left on device")

    monkeypatch.setattr("mmdet.engine.inference.tracked_files.write_atomically", full)
    with pytest.raises(UserError, match="No space left"):
        finish(out, clip)
    assert (out / "a.mp4").exists()
    with pytest.raises(UserError, match="No space left"):
        finish(out, again)
    assert not (out / "b.mp4").exists()
