"""What is wrong with annotation files is said before the work starts, and what can be read is trained and tested on."""

import json

import pytest


@pytest.fixture
def changed(tiny_set, tmp_path):
    """Write a changed copy of the annotations of a split; return its path."""

    def write(split, change):
        raw = json.loads((tiny_set / f"annotations/instances_{split}.json").read_text())
        change(raw)
        path = tmp_path / f"{split}.json"
        path.write_text(json.dumps(raw))
        return path

    return write


def without_boxes(raw):
    for track in raw["annotations"]:
        del track["bboxes"]


def as_corners(raw):
    for track in raw["annotations"]:
        track["bboxes"] = [box and [box[0], box[1], box[0] + box[2], box[1] + box[3]] for box in track["bboxes"]]


def train(run, config, work, *values, options=()):
    return run("train", config, "--work_dir", work, *options, "--cfg-options", "schedule.steps=1", *values)


def test_a_set_without_boxes_is_trained_on_and_tested(run, config, checkpoint, changed, tmp_path):
    train_file, valid_file = changed("train", without_boxes), changed("valid", without_boxes)
    done = train(run, config, tmp_path / "work", f"data.train.datasets.0.ann_file={train_file}")
    assert done.code == 0, done.err
    value = f"data.test.dataset.ann_file={valid_file}"
    done = run("test_video", config, checkpoint, "--eval", "segm", "bbox", "--cfg-options", value)
    assert done.code == 0, done.err
    assert "boxes, all categories" in done.out


def test_training_says_once_that_boxes_look_like_corners(run, config, changed, tmp_path):
    path = changed("train", as_corners)
    done = train(run, config, tmp_path / "work", f"data.train.datasets.0.ann_file={path}")
    assert done.code == 0, done.err
    log = (tmp_path / "work/train.log").read_text()
    assert log.count("they look like corners x1, y1, x2, y2") == 1


VALIDATION_FAULTS = {
    "a missing file": (lambda raw: None, "nowhere.json does not exist"),
    "no annotations": (lambda raw: raw.pop("annotations"), "valid.json has no annotations, so validation cannot"),
    "a broken mask": (
        lambda raw: next(mask for mask in raw["annotations"][0]["segmentations"] if mask).update(counts="~"),
        ", annotation 1, frame 0: counts",
    ),
}


@pytest.mark.parametrize("kind", VALIDATION_FAULTS)
def test_faults_of_the_validation_set_show_before_training(run, config, changed, tmp_path, kind):
    change, message = VALIDATION_FAULTS[kind]
    path = changed("valid", change)
    if kind == "a missing file":
        path = tmp_path / "nowhere.json"
    done = train(run, config, tmp_path / "work", f"data.test.dataset.ann_file={path}", options=["--validate"])
    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 1, done.err
    assert message in done.err
    assert not list((tmp_path / "work").glob("*.pth"))


def test_boxes_that_cannot_be_evaluated_are_refused_before_the_test(run, config, checkpoint, changed, tmp_path):
    def odd(raw):
        raw["annotations"][0]["segmentations"] = [None] * 4
        raw["annotations"][0]["bboxes"] = [None, [5, 5, -3, 4], None, None]

    path = changed("valid", odd)
    done = run(
        "test_video", config, checkpoint, "--out", tmp_path / "o.pkl", "--eval", "bbox", "--cfg-options",
        f"data.test.dataset.ann_file={path}",
    )  # fmt: skip
    assert done.code == 2
    assert "has a negative side" in done.err
    assert "testing" not in done.err
    assert not (tmp_path / "o.pkl").exists()


def test_what_was_read_leniently_is_said_in_testing(run, config, checkpoint, changed, tmp_path):
    def backslashes(raw):
        for video in raw["videos"]:
            video["file_names"] = [name.replace("/", "\\") for name in video["file_names"]]

    path = changed("valid", backslashes)
    done = run(
        "test_video", config, checkpoint, "--eval", "segm", "--cfg-options", f"data.test.dataset.ann_file={path}"
    )
    assert done.code == 0, done.err
    assert f"warning: {path}: backslashes in file names read as /: 12 names" in done.err


ODD = {
    "a label of -1": ({"cats": [-1] * 4}, "cats holds -1"),
    "a box of NaN": ({"detections": [[float("nan")] * 4] * 4}, "a box is four numbers or null"),
    "no such mask": ({"segmentations": [[[0, 0, 1e7, 0, 1e7, 1e7]]] * 4}, "a polygon reaches far outside"),
    "few frames": ({"segmentations": [None]}, "are not a list of 4 entries"),
}


@pytest.mark.parametrize("kind", ODD)
def test_a_loaded_result_that_cannot_be_drawn_is_refused_in_one_line(run, config, tiny_set, tmp_path, kind):
    truth = json.loads((tiny_set / "annotations/instances_valid.json").read_text())
    track = truth["annotations"][0]
    keys = ("video_id", "category_id", "segmentations")
    entry = {key: track[key] for key in keys} | {"score": 0.9} | ODD[kind][0]
    (tmp_path / "odd.json").write_text(json.dumps([entry]))
    shown = tmp_path / "shown"
    done = run("test_video", config, "--load_result", tmp_path / "odd.json", "--show", "True", "--save_vis_path", shown)
    assert done.code == 2, done.err
    assert len(done.err.strip().splitlines()) == 1, done.err
    assert ODD[kind][1] in done.err
    assert not list(tmp_path.glob("shown/*"))


def test_polygons_and_tracks_never_seen_are_drawn(run, config, tiny_set, tmp_path):
    truth = json.loads((tiny_set / "annotations/instances_valid.json").read_text())
    track = truth["annotations"][0]
    entry = {"video_id": track["video_id"], "category_id": track["category_id"], "score": 0.9}
    masks = [[[5, 5, 30, 5, 30, 30]], None, [5, 5, 30, 5, 30, 30], None]
    entries = [entry | {"segmentations": masks}, entry | {"segmentations": [None] * 4}]
    (tmp_path / "odd.json").write_text(json.dumps(entries))
    shown = tmp_path / "shown"
    done = run("test_video", config, "--load_result", tmp_path / "odd.json", "--show", "True", "--save_vis_path", shown)
    assert done.code == 0, done.err
    assert len(list(shown.glob("*.mp4"))) == 3
