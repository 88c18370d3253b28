"""The names of what a prediction writes: never another's, never the source's."""

import json

import pytest

from mmdet.engine.inference.predicting.names import check_folder, identity_of, name_of_file, name_of_part
from mmdet.engine.inference.predicting.options import KINDS
from mmdet.errors import UserError
from mmdet.fileio.results.predictions import MADE_BY
from mmdet.fileio.sources.finding import find_sources


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def choose(out, path, taken=(), save=KINDS):
    [found] = find_sources([str(path)])
    return name_of_file(out, found, taken, save)


def finish(out, path, files=None):
    """Write what a prediction on `path` writes; return its name."""
    name = choose(out, path)
    files = [f"{name}.mp4"] if files is None else files
    for file in files:
        (out / file).write_bytes(b"mp4") if file.endswith(".mp4") else (out / file).mkdir(parents=True)
    info = {"made_by": MADE_BY, "source": identity_of(find_sources([str(path)])[0]), "files": files}
    (out / f"{name}.json").write_text(json.dumps({"info": info, "videos": []}))
    return name


def source(tmp_path, name, folder=False):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if folder:
        path.mkdir()
    (path / "0.png" if folder else path).write_bytes(name.encode())
    return path


def test_two_sources_of_one_stem_do_not_write_one_file(tmp_path, out):
    names = ["cam.1", "cam.2"]
    assert [finish(out, source(tmp_path, name, folder=True)) for name in names] == names
    names = ["a.mp4", "a.mov", "b/a.mov", "c/b/a.mov"]
    assert [finish(out, source(tmp_path, name)) for name in names] == ["a", "a.mov", "b_a.mov", "b_a.mov-2"]


def test_a_source_tracked_again_has_its_names_again(tmp_path, out):
    first, other = source(tmp_path, "a.mp4"), source(tmp_path, "a.mov")
    for _ in range(2):
        assert finish(out, first) == "a"
        assert finish(out, other) == "a.mov"
    assert {path.name for path in out.iterdir()} == {"a.mp4", "a.json", "a.mov.mp4", "a.mov.json"}


@pytest.mark.parametrize(
    "contents", ["{}", "[]", "no json", '{"info": {"made_by": 5}}', '{"info": {"made_by": "memcnp-vis predict"']
)
def test_a_file_of_another_program_is_never_replaced(tmp_path, out, contents):
    (out / "a.json").write_text(contents)
    assert finish(out, source(tmp_path, "a.mp4")) == "a.mp4"
    assert (out / "a.json").read_text() == contents


def test_a_video_beside_its_folder_of_frames_is_not_replaced(tmp_path):
    clip = source(tmp_path, "d/clip.mp4")
    assert choose(tmp_path / "d", source(tmp_path, "d/clip", folder=True)) == "d_clip"
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
        choose(out, given)
    assert clip.read_bytes() == b"d/clip.mp4"


def test_the_folder_of_the_working_place_has_its_own_name(tmp_path, out, monkeypatch):
    monkeypatch.chdir(source(tmp_path, "frames", folder=True))
    assert choose(out, ".") == "frames"


def test_a_file_or_folder_that_the_earlier_run_did_not_write_keeps_its_name(tmp_path, out):
    clip = source(tmp_path, "a.mp4")
    assert finish(out, clip) == "a"
    (out / "a").mkdir()  # by the user, after the run
    assert choose(out, clip) == f"{tmp_path.name}_a.mp4"


def test_a_folder_that_the_earlier_run_wrote_is_written_again(tmp_path, out):
    clip = source(tmp_path, "a.mp4")
    assert finish(out, clip, ["a/frames"]) == choose(out, clip) == "a"
    (out / "a.mp4").touch()  # by the user
    assert choose(out, clip) == f"{tmp_path.name}_a.mp4"


def test_a_json_alone_may_lie_beside_its_source(tmp_path):
    clip = source(tmp_path, "d/clip.mp4")
    assert choose(tmp_path / "d", clip, save=("json",)) == "clip"
    assert choose(tmp_path / "d", clip, save=("json", "frames")) == "clip"
    (tmp_path / "d/clip").mkdir()
    assert choose(tmp_path / "d", clip, save=("json",)) == "clip"
    assert choose(tmp_path / "d", clip, save=("json", "frames")) == "d_clip.mp4"


def test_a_name_goes_to_one_source_of_a_run(tmp_path, out):
    assert choose(out, source(tmp_path, "a.mp4"), taken={"a"}) == "a.mp4"


def test_every_part_of_a_live_source_has_a_new_name(out):
    assert name_of_part(out, "cam") == "cam-0001"
    (out / "cam-0001.json").touch()
    (out / "cam-0002").mkdir()
    assert name_of_part(out, "cam") == "cam-0003"


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
