"""What test_video.py hands on: a submission's zip, figures of boxes."""

import json
import zipfile

import pytest


@pytest.fixture
def results(run, config, checkpoint, tmp_path):
    assert run("test_video", config, checkpoint, "--out", tmp_path / "r.pkl", "--dump_bbox").code == 0
    return tmp_path / "r.pkl"


def test_format_only_ends_in_a_submission(run, config, results, tmp_path):
    done = run("test_video", config, "--load_result", results, "--format-only", "--work_dir", tmp_path / "work")
    assert done.code == 0, done.err
    assert "ready to submit" in done.out
    with zipfile.ZipFile(tmp_path / "work" / "submission.zip") as archive:
        packed = json.loads(archive.read("results.json"))
    written = json.loads((tmp_path / "r.pkl.json").read_text())
    keys = ("video_id", "category_id", "score", "segmentations")
    assert packed == [{key: entry[key] for key in keys} for entry in written]


def test_format_only_names_every_fault_and_writes_nothing(run, config, results, tmp_path):
    entries = json.loads((tmp_path / "r.pkl.json").read_text())
    entries[0]["category_id"] = 1
    entries[1]["segmentations"] = entries[1]["segmentations"][:-1]
    (tmp_path / "bad.json").write_text(json.dumps(entries))
    done = run("test_video", config, "--load_result", tmp_path / "bad.json", "--format-only", "--work_dir", tmp_path)
    assert done.code == 2
    assert "result 0 has category_id 1, not of the data set" in done.err
    assert "result 1 has 3 segmentations" in done.err
    assert not (tmp_path / "submission.zip").exists()


def test_format_only_does_not_score(run, config, results):
    done = run("test_video", config, "--load_result", results, "--format-only", "--eval", "segm")
    assert done.code == 2
    assert "leave --eval out" in done.err


def test_boxes_and_masks_are_scored_side_by_side(run, config, results):
    done = run("test_video", config, "--load_result", results, "--eval", "bbox", "segm")
    assert done.code == 0, done.err
    assert done.out.index("boxes, all categories") < done.out.index("masks, all categories")
