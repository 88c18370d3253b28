"""No command writes over what it reads, or over what it did not make; each says so before the work starts."""

import hashlib
import json
import os
import shutil
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from programs import load_program

from mmdet.engine.process.endings import run_command_line

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tool(capsys, monkeypatch):
    """Run a script of tools/ in this process; return its exit code and what it printed on stderr."""

    def call(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        module = load_program(f"tools/{name}")
        code = None
        try:
            run_command_line(lambda: sys.exit(module.main()))
        except SystemExit as end:
            code = end.code
        return code or 0, capsys.readouterr().err

    return call


def digests(folder):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def work(tmp_path, tiny_set, checkpoint, monkeypatch):
    """A folder with a copy of everything that commands read; it is the current one."""
    folder = tmp_path / "work"
    folder.mkdir()
    for name in ("train", "valid"):
        (folder / f"{name}.json").write_bytes((tiny_set / f"annotations/instances_{name}.json").read_bytes())
    (folder / "results.json").write_text("[]")
    (folder / "checkpoint.pth").write_bytes(checkpoint.read_bytes())
    os.link(folder / "checkpoint.pth", folder / "other_name.pth")
    (folder / "coco.json").write_text('{"images": [], "annotations": [], "categories": []}')
    for kind, ending in (("images", "jpg"), ("masks", "png")):
        (folder / kind / "video").mkdir(parents=True)
        cv2.imwrite(str(folder / kind / "video" / f"00000.{ending}"), np.zeros((8, 8), np.uint8))
    (folder / "link.json").symlink_to(folder / "valid.json")
    monkeypatch.chdir(folder)
    return folder


OVER_INPUT = {
    "eval_results, the truth": ("eval_results", "valid.json", "results.json", "--out", "valid.json"),
    "eval_results, the results by a link": ("eval_results", "link.json", "results.json", "--out", "valid.json"),
    "convert_checkpoint": ("convert_checkpoint", "checkpoint.pth", "../work/checkpoint.pth"),
    "convert_checkpoint, a hard link": ("convert_checkpoint", "checkpoint.pth", "other_name.pth"),
    "convert": ("convert", "coco", "coco.json", "coco.json"),
    "convert, the images": ("convert", "coco", "coco.json", "images/video/00000.jpg", "--frames", "images"),
    "convert, a mask": ("convert", "png", "masks", "masks/video/00000.png", "--frames", "images"),
    "submission": ("submission", "results.json", "--ann", "valid.json", "--out", "results.json"),
    "submission, the data set": ("submission", "results.json", "--ann", "valid.json", "--out", "valid.json"),
    "benchmark": ("benchmark", "CONFIG", "--json", "CONFIG"),
    "benchmark, the checkpoint": (
        "benchmark",
        "CONFIG",
        "--checkpoint",
        "checkpoint.pth",
        "--profile",
        "checkpoint.pth",
    ),
    "measure_memory": ("measure_memory", "--config", "CONFIG", "--json", "CONFIG"),
    "demo_picture": ("demo_picture", "results.json", "--config", "CONFIG", "--out", "results.json"),
}


@pytest.mark.parametrize("command", OVER_INPUT.values(), ids=OVER_INPUT)
def test_an_output_that_is_an_input_is_refused(tool, work, config, command):
    (work / "tiny.py").write_bytes(config.read_bytes())
    before = digests(work)
    code, said = tool(*("tiny.py" if part == "CONFIG" else part for part in command))
    assert code == 2
    assert "is the input" in said or "is a file of the input folder" in said
    assert said.count("\n") == 1
    assert digests(work) == before


NO_PLACE = {
    "eval_results": ("eval_results", "valid.json", "results.json", "--out"),
    "convert_checkpoint": ("convert_checkpoint", "checkpoint.pth"),
    "convert": ("convert", "coco", "coco.json"),
    "submission": ("submission", "results.json", "--ann", "valid.json", "--out"),
    "measure_memory": ("measure_memory", "--json"),
    "benchmark": ("benchmark", "CONFIG", "--json"),
    "benchmark_correlation": ("benchmark_correlation", "--json"),
}


@pytest.mark.parametrize("output", ["images", "results.json/figures"], ids=["a folder", "inside of a file"])
@pytest.mark.parametrize("command", NO_PLACE.values(), ids=NO_PLACE)
def test_an_output_that_cannot_be_a_file_is_refused_before_the_work(tool, work, config, command, output):
    before = digests(work)
    code, said = tool(*(str(config) if part == "CONFIG" else part for part in command), output)
    assert code == 2
    assert "is a folder, expected the name of a file" in said or "is a file, expected a folder" in said
    assert digests(work) == before


@pytest.mark.parametrize(
    "command",
    [("check_data", "valid.json", "--draw", "results.json"), ("make_demo_data", "--root", "results.json"),
     ("make_split", "valid.json", "--out-dir", "results.json")],
    ids=lambda command: command[0],
)  # fmt: skip
def test_a_file_where_a_folder_should_be_is_named(tool, work, command):
    before = digests(work)
    code, said = tool(*command)
    assert code == 2
    assert "results.json is a file, expected a folder" in said
    assert {"make_demo_data": "the demo set's folder"}.get(command[0], command[-2]) in said
    assert digests(work) == before


def test_drawings_of_the_truth_never_replace_pictures(tool, work, tiny_set):
    draw = ("check_data", "valid.json", "--img-prefix", tiny_set / "valid_images", "--draw")
    video = json.loads((work / "valid.json").read_text())["videos"][0]
    frames = digests(tiny_set)
    code, said = tool(*draw, tiny_set / "valid_images" / Path(video["file_names"][0]).parent)
    assert code == 2
    assert "would be filled with output" in said
    photo = work / "album" / f"{video['id']}.jpg"
    photo.parent.mkdir()
    photo.write_bytes(b"photo")
    code, said = tool(*draw, "album")
    assert code == 2
    assert "is not a drawing of this program" in said
    assert photo.read_bytes() == b"photo"
    assert digests(tiny_set) == frames
    assert tool(*draw, "sheets")[0] == tool(*draw, "sheets")[0] == 0


def test_a_demo_set_does_not_replace_pictures_of_somebody_else(tool, tmp_path):
    photo = tmp_path / "train_images" / "train_0000" / "00000.jpg"
    photo.parent.mkdir(parents=True)
    photo.write_bytes(b"photo")
    code, said = tool("make_demo_data", "--root", tmp_path)
    assert code == 2
    assert "train_images is not of a generated demo set" in said
    assert photo.read_bytes() == b"photo"


@pytest.fixture
def own_set(work, tiny_set):
    """Options of test_video.py for a copy of the valid set in the work folder."""
    shutil.copytree(tiny_set / "valid_images", work / "frames")
    return ("--cfg-options", "data.test.dataset.ann_file=valid.json", "data.test.dataset.img_prefix=frames")


OVER_INPUT_OF_A_TEST = {
    "the data set's frames": ("--show", "--save_vis_path", "frames"),
    "its frames by a link": ("--show", "--save_vis_path", "link"),
    "the checkpoint": ("--out", "checkpoint.pkl"),
    "the annotations": ("--out", "annotations.pkl"),
    "somebody's zip": ("--out", "album.pkl", "--format_only"),
}


@pytest.mark.parametrize("options", OVER_INPUT_OF_A_TEST.values(), ids=OVER_INPUT_OF_A_TEST)
def test_a_test_writes_over_nothing_that_it_reads_or_did_not_make(run, work, config, own_set, options):
    (work / "link").symlink_to("frames")
    os.link("checkpoint.pth", "checkpoint.pkl")
    (work / "annotations.pkl.json").symlink_to("valid.json")
    with zipfile.ZipFile(work / "album.zip", "w") as album:
        album.writestr("photo.jpg", b"photo")
    before = digests(work)
    done = run("test_video", config, "checkpoint.pth", *options, *own_set)
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert any(text in done.err for text in ("is the input", "would be filled with output", "not a submission"))
    assert digests(work) == before


def test_results_are_not_written_over_those_they_are_made_from(run, work, config, own_set):
    (work / "r.pkl.json").write_text("[]")
    done = run("test_video", config, "--load_result", "r.pkl.json", "--out", "r.pkl", *own_set)
    assert done.code == 2
    assert "output r.pkl.json is the input r.pkl.json" in done.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--out", "folder.pkl"), "--out folder.pkl is a folder, expected the name of a file"),
        (("--show", "--save_vis_path", "valid.json"), "--save_vis_path valid.json cannot be written: valid.json is a"),
        (("--show", "--work_dir", "valid.json"), "valid.json is a file, expected a folder"),
        (("--format_only", "--work_dir", "valid.json"), "valid.json is a file, expected a folder"),
    ],
)
def test_an_output_of_a_test_that_has_no_place_is_refused_before_the_work(run, work, config, own_set, options, said):
    (work / "folder.pkl").mkdir()
    before = digests(work)
    done = run("test_video", config, "checkpoint.pth", *options, *own_set)
    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1
    assert digests(work) == before


def test_a_test_draws_tracks_of_at_least_the_score_of_thresh(run, work, config, own_set):
    for name, score in (("all", "0"), ("none", "1")):
        options = ("--show", "--save_vis_path", name, "--thresh", score)
        assert run("test_video", config, "checkpoint.pth", *options, *own_set).code == 0
    differences = []
    for path in sorted((work / "none").glob("*/*.jpg")):
        name = path.relative_to(work / "none")
        one, two, frame = (cv2.imread(str(work / folder / name)) for folder in ("all", "none", "frames"))
        enlarged = cv2.resize(frame, two.shape[1::-1], interpolation=cv2.INTER_CUBIC).astype(int)
        assert np.abs(two - enlarged).mean() < 3  # nothing is drawn
        differences.append(np.abs(one.astype(int) - two).mean())
    assert max(differences) > 3
