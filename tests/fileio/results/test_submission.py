"""Submissions: every fault is named at once, sound results are packed."""

import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from mmdet.fileio.annotations.vis_json import VideoInfo
from mmdet.fileio.results.result_file import load_results
from mmdet.fileio.results.submission import find_faults, write_submission
from mmdet.ops.masks.segmentations import encode_masks

VIDEOS = [VideoInfo(video_id=7, size=(4, 5), file_names=["a/0.jpg", "a/1.jpg"])]
CATEGORIES = (3,)
TRUTH = {
    "videos": [{"id": 7, "width": 5, "height": 4, "length": 2, "file_names": ["a/0.jpg", "a/1.jpg"]}],
    "categories": [{"id": 3, "name": "cat"}],
}
RLE = encode_masks(np.ones((1, 4, 5), bool))[0]


def entry(**changes):
    return {"video_id": 7, "category_id": 3, "score": 0.5, "segmentations": [RLE, None], **changes}


def test_sound_results_have_no_faults():
    assert find_faults([entry(), entry(score=1)], VIDEOS, CATEGORIES) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"video_id": 1}, "has video_id 1, not of the data set"),
        ({"category_id": 1}, "has category_id 1, not of the data set"),
        ({"score": float("nan")}, "has score nan, expected a finite number"),
        ({"segmentations": [RLE]}, "1 segmentations, video 7 has 2 frames"),
        ({"segmentations": [None, None]}, "has a segmentation in no frame"),
        ({"segmentations": [None, {"size": [5, 4], "counts": RLE["counts"]}]}, "frame 1 an invalid mask:"),
        ({"segmentations": [None, {"size": [4, 5], "counts": [0, 20]}]}, "frame 1 no compressed RLE"),
        ({"segmentations": "all"}, "has segmentations that are not a list"),
    ],
)
def test_each_fault_is_named(changes, fault):
    (found,) = find_faults([entry(), entry(**changes)], VIDEOS, CATEGORIES)
    assert found.startswith("result 1 has ")
    assert fault in found


def test_all_faults_are_named_at_once():
    faults = find_faults([entry(score=None, category_id="9"), 5, {"score": 1}], VIDEOS, CATEGORIES)
    assert len(faults) == 4
    assert "has no video_id, category_id, segmentations" in faults[-1]


def test_the_zip_holds_results_at_its_root_without_extras(tmp_path):
    write_submission(tmp_path / "s.zip", [entry(detections=[None, None], cats=[None, None])])
    assert zipfile.ZipFile(tmp_path / "s.zip").namelist() == ["results.json"]
    assert load_results(tmp_path / "s.zip") == [entry()]


def test_the_tool_packs_sound_results_and_refuses_others(tmp_path):
    (tmp_path / "truth.json").write_text(json.dumps(TRUTH))
    for name, entries, code in (("good", [entry()], 0), ("bad", [entry(video_id=8), entry(score="x")], 2)):
        (tmp_path / f"{name}.json").write_text(json.dumps(entries))
        out = tmp_path / f"{name}.zip"
        command = ["tools/submission.py", tmp_path / f"{name}.json", "--ann", tmp_path / "truth.json", "--out", out]
        done = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        assert out.exists() == (code == 0)
    assert "2 faults" in done.stderr
    assert "result 0 has video_id 8, not of the data set" in done.stderr
