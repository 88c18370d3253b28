"""The json of a prediction: what it says, and who reads it: annotations, checks and evaluation."""

import json
from dataclasses import replace

import numpy as np
import pytest
from made_predictions import CATEGORY_IDS, LENGTH, NAMES, make_tube, make_video, mask_of, write_json

from mmdet.datasets.prepare.check_set import check_set
from mmdet.datasets.prepare.findings import report_lines
from mmdet.errors import UserError
from mmdet.evaluation.ap.evaluate import evaluate
from mmdet.fileio.annotations.raw_json import load_ground_truth
from mmdet.fileio.annotations.vis_json import load_vis_json
from mmdet.fileio.results.predictions import read_info, write_predictions
from mmdet.fileio.results.result_file import load_results
from mmdet.ops.masks.segmentations import decode_rle

CATEGORIES = [{"id": number, "name": name} for number, name in zip(CATEGORY_IDS, NAMES, strict=True)]


def truth_of(*videos, categories=CATEGORIES):
    entries = [{"id": number, "file_names": names} for number, names in videos]
    return {"videos": entries, "categories": categories, "annotations": []}


def test_the_json_says_what_was_read_and_how(tmp_path):
    raw = json.loads(write_json(tmp_path / "clip.json", version="1.2.3", threshold=0.4).read_text())
    assert raw["info"] == {
        **{"made_by": "memcnp-vis predict", "source": "/videos/clip.mp4", "files": []},
        **{"version": "1.2.3", "threshold": 0.4},
    }
    assert raw["videos"] == [
        {
            **{"id": 1, "name": "clip", "source": "/videos/clip.mp4", "width": 30, "height": 20, "length": 4},
            **{"fps": 25.0, "complete": False, "frames_read": 4, "frames_promised": 5, "frames_dropped": 0},
            "times": [0.0, 0.04, 0.08, 0.12],
            "file_names": [f"clip/{frame:05d}.jpg" for frame in range(4)],
        }
    ]
    assert raw["categories"] == CATEGORIES


def test_a_track_has_its_class_by_vote_its_mean_score_and_values_per_frame(tmp_path):
    first, second = json.loads(write_json(tmp_path / "clip.json").read_text())["annotations"]
    assert (first["id"], first["track_id"], first["category_id"], first["video_id"]) == (1, 7, 20, 1)
    assert first["score"] == pytest.approx(0.7)
    assert first["scores"] == [0.9, 0.6, None, 0.6]
    assert first["bboxes"] == [[0, 4, 8, 8], [2, 4, 8, 8], None, [6, 4, 8, 8]]
    assert first["areas"] == [64, 64, None, 64]
    assert (decode_rle(first["segmentations"][1]) == mask_of(7, 1)).all()
    assert second["bboxes"][1] == [0, 8, 30, 8]  # cut at the border of the frame


def test_a_frame_whose_mask_is_empty_has_a_score_alone(tmp_path):
    masks = [mask_of(7, 0), np.zeros_like(mask_of(7, 1)), mask_of(7, 3)]
    [track] = json.loads(write_json(tmp_path / "c.json", make_video([make_tube(7, masks)])).read_text())["annotations"]
    assert track["scores"][1] == 0.6
    assert track["bboxes"][1] is track["segmentations"][1] is track["areas"][1] is None
    load_vis_json(tmp_path / "c.json")


def test_tracks_are_kept_by_their_mean_score_and_their_class():
    ids = lambda video: [tube.track_id for tube in video.result.tubes]  # noqa: E731
    assert ids(make_video().keeping(0.6, None)) == [7]
    assert ids(make_video().keeping(0.0, frozenset({2}))) == [3]
    assert ids(make_video().keeping(0.0, None)) == [7, 3]


def test_it_is_read_as_annotations(tmp_path):
    data = load_vis_json(write_json(tmp_path / "clip.json"), as_is=True)
    assert [(track.category_id, track.areas[0], track.is_crowd) for track in data.tracks] == [
        (20, 64.0, False),
        (30, None, False),
    ]
    assert data.videos[0].size == (20, 30)


def test_a_check_of_the_data_finds_no_fault_in_it(tmp_path):
    tube = make_tube(7)
    off = replace(tube, boxes=replace(tube.boxes, values=((0.0, 0.0, 30.0, 20.0),) * 3))  # as a model may be wrong
    report = check_set(write_json(tmp_path / "clip.json", make_video([off, make_tube(3)])))
    lines = list(report_lines(report.findings, "clip.json"))
    assert [line for line in lines if line.startswith("FAULT")] == []
    assert any("does not fit the mask" in line for line in lines)
    assert any("--img-prefix" in line for line in lines)


@pytest.mark.parametrize("is_truth_in_other_ids", [False, True])
def test_measured_against_itself_it_is_perfect(tmp_path, is_truth_in_other_ids):
    truth = load_ground_truth(write_json(tmp_path / "clip.json"))
    if is_truth_in_other_ids:
        truth["videos"][0]["id"] = 905
        for entry in truth["annotations"]:
            entry["video_id"], entry["category_id"] = 905, entry["category_id"] + 1
        for entry in truth["categories"]:
            entry["id"] += 1
    figures = evaluate(truth, load_results(tmp_path / "clip.json", truth=truth))
    assert figures.stats["AP"] == pytest.approx(1.0)


def test_the_video_is_found_by_its_frames_before_its_name(tmp_path):
    names = [f"clip/{frame:05d}.jpg" for frame in range(LENGTH)]
    path = write_json(tmp_path / "clip.json")
    truth = truth_of((4, ["clip/a.jpg"] * LENGTH), (5, names))
    assert {entry["video_id"] for entry in load_results(path, truth=truth)} == {5}


def test_the_video_is_found_by_its_folder_and_length_or_as_the_only_one(tmp_path):
    path = write_json(tmp_path / "clip.json")
    folder = truth_of((4, ["other/a.jpg"] * LENGTH), (5, ["sub/clip/a.png"] * LENGTH))
    assert {entry["video_id"] for entry in load_results(path, truth=folder)} == {5}
    assert {entry["video_id"] for entry in load_results(path, truth=truth_of((9, ["x.jpg"] * LENGTH)))} == {9}


@pytest.mark.parametrize(
    ("videos", "message"),
    [
        ([(4, ["clop/a.jpg"] * 4), (5, ["b/a.jpg"] * 4)], "the ground truth has no video 'clip'; did you mean clop"),
        ([(4, ["clip/a.jpg"] * 9), (5, ["b/a.jpg"] * 4)], "'clip' has 4 frames, in the ground truth 9: predict on all"),
    ],
)
def test_a_video_that_the_ground_truth_does_not_have_is_refused(tmp_path, videos, message):
    with pytest.raises(UserError, match=message):
        load_results(write_json(tmp_path / "clip.json"), truth=truth_of(*videos))


def test_classes_are_matched_by_name_and_others_are_left_out_with_a_warning(tmp_path):
    names = [f"clip/{frame:05d}.jpg" for frame in range(LENGTH)]
    truth = truth_of((1, names), categories=[{"id": 30, "name": "ring"}])
    truth["videos"][0] |= {"width": 30, "height": 20, "length": LENGTH}
    results = load_results(write_json(tmp_path / "clip.json"), truth=truth)
    assert [entry["category_id"] for entry in results] == [30, 33]
    assert any("1 results of categories" in line for line in evaluate(truth, results).warnings)


def test_a_folder_of_jsons_is_one_result(tmp_path):
    for name in ("a", "b"):
        video = make_video(name=name, file_names=[f"{name}/{frame}.jpg" for frame in range(LENGTH)])
        write_json(tmp_path / f"{name}.json", video)
    (tmp_path / "other.json").write_text("{}")
    truth = truth_of((4, ["b/0.jpg"] * LENGTH), (5, ["a/0.jpg"] * LENGTH))
    assert [entry["video_id"] for entry in load_results(tmp_path, truth=truth)] == [5, 5, 4, 4]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="is a folder without the jsons"):
        load_results(tmp_path / "empty")


def test_a_json_without_tracks_is_no_result(tmp_path):
    with (tmp_path / "clip.json").open("wb") as file:
        write_predictions(file, {"source": "x"}, make_video(), with_tracks=False)
    assert "annotations" not in json.loads((tmp_path / "clip.json").read_text())
    with pytest.raises(UserError, match="has no tracks: predict with json in --save"):
        load_results(tmp_path / "clip.json")


def test_only_a_json_of_a_prediction_tells_of_its_making(tmp_path):
    assert read_info(write_json(tmp_path / "clip.json"))["source"] == "/videos/clip.mp4"
    (tmp_path / "other.json").write_text('{"info": {"description": "mine"}}')
    assert read_info(tmp_path / "other.json") is None
    assert read_info(tmp_path / "none.json") is None


@pytest.mark.parametrize(
    "change",
    [
        {"annotations": [5]},
        {"annotations": [{"video_id": 1, "category_id": 20}]},
        {"annotations": {}},
        {"videos": [{"id": 1, "file_names": []}]},
        {"videos": [{"id": 1}]},
        {"videos": None},
        {"categories": [{"name": "ring"}]},
    ],
    ids=str,
)
def test_a_json_that_was_changed_is_refused_in_one_line(tmp_path, change):
    raw = json.loads(write_json(tmp_path / "clip.json").read_text())
    (tmp_path / "clip.json").write_text(json.dumps({**raw, **change}))
    truth = truth_of((4, ["other/a.jpg"] * LENGTH), (5, ["clip/a.png"] * LENGTH))
    with pytest.raises(UserError, match="clip.json"):
        load_results(tmp_path / "clip.json", truth=truth)


@pytest.mark.parametrize("videos", [[5], [{"id": 4}], [{"id": 4, "file_names": 5}, {"id": 5, "file_names": [5]}], []])
def test_a_ground_truth_that_is_none_is_refused_in_one_line(tmp_path, videos):
    truth = {"videos": videos, "categories": [5, {"id": 30, "name": "ring"}]}
    with pytest.raises(UserError):
        load_results(write_json(tmp_path / "clip.json"), truth=truth)


def test_a_beginning_that_is_nested_without_end_tells_nothing(tmp_path):
    (tmp_path / "a.json").write_text('{"info": {"made_by": "memcnp-vis predict", "source": ' + "[" * 100_000)
    assert read_info(tmp_path / "a.json") is None
