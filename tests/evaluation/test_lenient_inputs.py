"""The evaluator judges a file as loading does: what is missing follows from the masks, what is plain is read."""

import copy
import json

import numpy as np
import pytest

from mmdet.errors import UserError
from mmdet.evaluation import evaluate
from mmdet.evaluation.association.hota import association_figures
from mmdet.fileio.annotations.raw_json import load_ground_truth
from mmdet.fileio.annotations.vis_json import load_vis_json
from mmdet.ops.masks.segmentations import encode_masks
from mmdet.structures import PerFrame

SIZE = (40, 60)
FRAMES = 12


def tube(offset, frames=range(FRAMES)):
    """The masks of a square of 10 x 10 that moves, null but in `frames`."""
    found = [None] * FRAMES
    for frame in frames:
        mask = np.zeros((1, *SIZE), bool)
        mask[0, offset : offset + 10, 2 * frame : 2 * frame + 10] = True
        found[frame] = encode_masks(mask)[0]
    return found


def boxes_of(offset, frames=range(FRAMES)):
    return [[2 * frame, offset, 10, 10] if frame in frames else None for frame in range(FRAMES)]


def truth(frames=range(FRAMES), annotated=None):
    video = {"id": 5, "height": SIZE[0], "width": SIZE[1], "length": FRAMES}
    video["file_names"] = [f"{frame}.jpg" for frame in range(FRAMES)]
    if annotated is not None:
        video["annotated_frames"] = annotated
    tracks = [
        {"id": n, "video_id": 5, "category_id": n, "iscrowd": 0, "segmentations": tube(offset, frames)}
        | {"bboxes": boxes_of(offset, frames), "areas": [100 if frame in frames else None for frame in range(FRAMES)]}
        for n, offset in ((1, 0), (2, 20))
    ]
    return {"videos": [video], "annotations": tracks, "categories": [{"id": n, "name": f"c{n}"} for n in (1, 2)]}


def result(category_id, offset, frames=range(FRAMES), score=0.9):
    return {"video_id": 5, "category_id": category_id, "score": score, "segmentations": tube(offset, frames)}


PERFECT = [result(1, 0), result(2, 20)]


@pytest.mark.parametrize("iou_type", ["segm", "bbox"])
def test_perfect_tracks_of_a_sparsely_annotated_video_score_1(iou_type):
    figures = evaluate(truth([0, 5, 10], annotated=[0, 5, 10]), PERFECT, iou_type=iou_type)
    assert figures.stats["AP"] == pytest.approx(1)
    assert figures.warnings == ()


def test_tracks_as_a_test_has_them_in_memory_are_measured_in_annotated_frames_alone():
    found = [
        entry | {"segmentations": PerFrame(FRAMES, tuple(range(FRAMES)), tuple(entry["segmentations"]))}
        for entry in PERFECT
    ]
    assert evaluate(truth([0, 5, 10], annotated=[0, 5, 10]), found).stats["AP"] == pytest.approx(1)


def test_without_the_list_of_annotated_frames_there_is_a_warning():
    figures = evaluate(truth([0, 5, 10]), PERFECT)
    assert figures.stats["AP"] == 0
    assert any("list the labelled ones as 'annotated_frames'" in warning for warning in figures.warnings)


def test_objects_and_results_of_other_frames_alone_count_neither_way():
    data = truth([0, 5, 10], annotated=[0, 5, 10])
    hidden = copy.deepcopy(data["annotations"][0]) | {"id": 3, "segmentations": tube(10, [3]), "bboxes": None}
    data["annotations"].append(hidden)
    early = result(1, 12, frames=[1, 2], score=0.99)
    assert evaluate(data, [early, *PERFECT]).stats["AP"] == pytest.approx(1)
    assert evaluate(data, [early, *PERFECT]).stats["AR1"] == pytest.approx(1)


def test_a_result_in_an_annotated_frame_still_counts_as_false():
    data = truth([0, 5, 10], annotated=[0, 5, 10])
    false = result(1, 12, frames=[4, 5], score=0.99)
    assert evaluate(data, [false, *PERFECT]).stats["AP"] < 1


def test_a_video_of_no_annotated_frame_is_not_measured():
    data = truth(annotated=[])
    assert evaluate(data, PERFECT).stats["AP"] == -1


def test_association_counts_annotated_frames_only():
    pytest.importorskip("trackeval")
    figures = association_figures(truth([0, 5, 10], annotated=[0, 5, 10]), PERFECT, 0.1)
    assert figures["overall"]["HOTA"] == pytest.approx(1)


@pytest.mark.parametrize("absent", [None, [0, 0, 0, 0], []])
def test_a_box_that_is_not_there_is_that_of_the_mask(absent):
    data = truth()
    data["annotations"][0]["bboxes"] = [absent] * 6 + data["annotations"][0]["bboxes"][6:]
    del data["annotations"][1]["bboxes"]
    results = [entry | {"bboxes": boxes_of(offset)} for entry, offset in zip(PERFECT, (0, 20), strict=True)]
    assert evaluate(data, results, iou_type="bbox").stats["AP"] == pytest.approx(1)


@pytest.mark.parametrize("areas", [None, [], [0] * FRAMES, [None] * FRAMES])
def test_areas_that_are_not_there_are_those_of_the_masks(areas):
    data = truth()
    for track in data["annotations"]:
        track["areas"] = areas
        track["segmentations"] = [{"size": [200, 200], "counts": [0, 40_000]}] * FRAMES
    data["videos"][0] |= {"height": 200, "width": 200}
    results = [result(n, 0) | {"segmentations": data["annotations"][0]["segmentations"]} for n in (1, 2)]
    stats = evaluate(data, results).stats
    assert (stats["APs"], stats["APm"]) == (-1, pytest.approx(1))  # 200 x 200 is of medium size


CROWDS = [(None, False), (0, False), (1, True), (True, True), ("0", False), ("1", True), ("true", True), (1.0, True)]


@pytest.mark.parametrize(("value", "is_crowd"), CROWDS)
def test_loading_and_evaluation_agree_on_crowds(tmp_path, value, is_crowd):
    data = truth()
    data["annotations"][0]["iscrowd"] = value
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(data))
    assert load_vis_json(path).tracks[0].is_crowd is is_crowd
    figures = evaluate(load_ground_truth(path), [])
    assert set(figures.per_category) == ({2} if is_crowd else {1, 2})


@pytest.mark.parametrize("value", ["no", 2, [], [0]])
def test_loading_and_evaluation_refuse_the_same_crowds(tmp_path, value):
    data = truth()
    data["annotations"][0]["iscrowd"] = value
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(data))
    for read in (load_vis_json, lambda file: evaluate(load_ground_truth(file), [])):
        with pytest.raises(UserError, match="'iscrowd' is .*, expected 0 or 1"):
            read(path)


def test_whole_numbers_written_as_floats_are_read_as_in_loading(tmp_path):
    data = truth()
    data["videos"][0] |= {"id": 5.0, "height": 40.0}
    data["annotations"][0] |= {"id": 1.0, "video_id": 5.0, "category_id": 1.0}
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(data))
    assert load_vis_json(path).videos[0].video_id == 5
    assert evaluate(load_ground_truth(path), PERFECT).stats["AP"] == pytest.approx(1)


def test_polygons_of_tools_and_shown_bytes_are_read():
    data = truth()
    flat = [0, 0, 10, 0, 10, 10, 0, 10]
    for track, segmentation in zip(data["annotations"], (flat, [flat, [1, 1, 2, 2]]), strict=True):
        track["segmentations"] = [segmentation] + [None] * (FRAMES - 1)
    code = copy.deepcopy(tube(0, [0]))
    code[0]["counts"] = str(code[0]["counts"].encode())
    points = [[0, 0], [10, 0], [10, 10], [0, 10]]
    results = [PERFECT[0] | {"segmentations": code}, PERFECT[1] | {"segmentations": [points] + [None] * (FRAMES - 1)}]
    assert evaluate(data, results).stats["AP"] == pytest.approx(1)
