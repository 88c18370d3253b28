"""Frames that cannot be read: of a test they cost themselves, a training run is saved and ends."""

import json
import shutil

import pytest

from mmdet.datasets import readable
from mmdet.engine.checkpoints.index import latest_checkpoint


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(readable, "RETRY_PAUSE_S", 0)


@pytest.fixture
def images(tiny_set, tmp_path):
    """A copy of the frames that are tested on."""
    shutil.copytree(tiny_set / "valid_images", tmp_path / "images")
    return tmp_path / "images"


@pytest.fixture
def test_on(run, config, checkpoint, images, tmp_path):
    """Test on the copied frames; return how that ended and the entries written."""

    def call(*options, values=()):
        out = tmp_path / "r.pkl"
        values = [f"data.test.dataset.img_prefix={images}", *values]
        done = run("test_video", config, checkpoint, "--out", out, *options, "--cfg-options", *values)
        return done, json.loads((tmp_path / "r.pkl.json").read_text()) if out.exists() else None

    return call


def shown(entries, video_id, frame):
    return [entry["segmentations"][frame] for entry in entries if entry["video_id"] == video_id]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_frame_costs_itself_and_not_the_results(test_on, images, tiny_set, workers):
    whole, expected = test_on("--eval", "segm")
    assert whole.code == 0, whole.err
    damaged = sorted(images.glob("*/00002.jpg"))[1]
    damaged.write_bytes(damaged.read_bytes()[:300])
    done, entries = test_on("--eval", "segm", values=[f"data.test.workers={workers}"])
    assert done.code == 1
    first, last = done.err.strip().splitlines()[-2:]
    assert first.startswith(f"frame {damaged} is damaged")
    assert last.startswith("test_video.py: 1 of 12 frames could not be read and show no tracks")
    assert "masks, all categories" in done.out
    videos = json.loads((tiny_set / "annotations/instances_valid.json").read_text())["videos"]
    hit = next(video["id"] for video in videos if f"{damaged.parent.name}/00002.jpg" in video["file_names"])
    assert any(shown(expected, hit, 2))
    assert not any(shown(entries, hit, 2))
    assert any(shown(entries, hit, 3))
    for video in videos:
        same = [0, 1] if video["id"] == hit else [0, 1, 2, 3]
        for frame in same:
            seen = [[mask for mask in shown(file, video["id"], frame) if mask] for file in (entries, expected)]
            assert seen[0] == seen[1]


def test_a_video_that_cannot_be_read_is_named_and_the_others_are_tested(test_on, images, tiny_set):
    folder = sorted(images.iterdir())[2]
    for path in folder.iterdir():
        path.write_bytes(b"")
    done, entries = test_on()
    assert done.code == 1
    videos = json.loads((tiny_set / "annotations/instances_valid.json").read_text())["videos"]
    gone = next(video["id"] for video in videos if video["file_names"][0].startswith(folder.name))
    assert f"4 of 12 frames could not be read and show no tracks, among them all of the videos {gone};" in done.err
    assert {entry["video_id"] for entry in entries} == {video["id"] for video in videos} - {gone}


def test_frames_that_do_not_belong_to_the_file_are_refused_before_the_work(test_on, images):
    for path in images.glob("*/00000.jpg"):
        path.write_bytes(b"")
    done, entries = test_on()
    assert done.code == 2
    assert "the same holds for the first frame of every video" in done.err
    assert "is img_prefix right?" in done.err
    assert entries is None


def test_bad_frames_are_drawn_black(test_on, images, tmp_path):
    damaged = sorted(images.glob("*/00001.jpg"))[0]
    damaged.write_bytes(b"")
    done, _ = test_on("--show", "--save_vis_path", tmp_path / "vis")
    assert done.code == 1
    assert f"frame {damaged} is damaged or no image (0 bytes); copy it anew: drawn black" in done.err
    assert len(list((tmp_path / "vis").glob("*/*.jpg"))) == 12


def test_training_saves_before_it_ends_for_a_bad_frame(run, config, tiny_set, tmp_path):
    shutil.copytree(tiny_set / "train_images", tmp_path / "images")
    (tmp_path / "images/train_0001/00000.jpg").write_bytes(b"")
    work, values = tmp_path / "work", ["schedule.steps=3", f"data.train.datasets.0.img_prefix={tmp_path / 'images'}"]
    done = run("train", config, "--work_dir", work, "--cfg-options", *values)
    assert done.code == 2
    assert "is damaged or no image (0 bytes)" in done.err
    assert "data.train.max_bad_frames: 0" in done.err
    assert f"--resume_from {latest_checkpoint(work)}" in done.err
    values += ["data.train.max_bad_frames=1"]
    done = run("train", config, "--work_dir", work, "--resume_from", "auto", "--cfg-options", *values)
    assert done.code == 0, done.err
    assert "another pair was drawn" in done.err
