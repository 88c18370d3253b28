import copy

import numpy as np
import pytest

from mmdet.errors import UserError
from mmdet.evaluation import evaluate, format_figures
from mmdet.ops.masks.segmentations import encode_masks

SIZE = (20, 30)
FRAMES = 12


def box_rle(left, width=8):
    mask = np.zeros((1, *SIZE), dtype=bool)
    mask[:, 4:14, left : left + width] = True
    return encode_masks(mask)[0]


def annotation(annotation_id, video_id, category_id, left, **more):
    segmentations = [box_rle(left + frame % 3) for frame in range(FRAMES)]
    return {
        "id": annotation_id,
        "video_id": video_id,
        "category_id": category_id,
        "iscrowd": 0,
        "segmentations": segmentations,
        "areas": [80] * FRAMES,
        **more,
    }


@pytest.fixture
def truth():
    return {
        "videos": [{"id": i, "height": SIZE[0], "width": SIZE[1], "length": FRAMES} for i in (9, 4)],
        "categories": [{"id": 12, "name": "dog"}, {"id": 5, "name": "cat"}, {"id": 6, "name": "cow"}],
        "annotations": [annotation(1, 9, 5, 0), annotation(2, 9, 12, 15), annotation(3, 4, 5, 10)],
    }


def as_results(truth, score=0.9):
    keys = ("video_id", "category_id", "segmentations")
    return [{**{key: copy.deepcopy(a[key]) for key in keys}, "score": score} for a in truth["annotations"]]


def test_truth_as_prediction_scores_one(truth):
    figures = evaluate(truth, as_results(truth))
    assert [figures.stats[name] for name in ("AP", "AP50", "AP75", "APs", "AR1", "AR100")] == pytest.approx([1.0] * 6)
    assert figures.stats["APm"] == -1
    assert {category: row["name"] for category, row in figures.per_category.items()} == {5: "cat", 12: "dog"}
    assert figures.warnings == ()


@pytest.mark.parametrize(
    ("area", "found"), [(100**2, "s"), (128**2, "sm"), (129**2, "m"), (256**2, "ml"), (257**2, "l")]
)
def test_small_medium_and_large_objects_are_told_apart_by_their_area_and_both_ends_belong(truth, area, found):
    for entry in truth["annotations"]:
        entry["areas"] = [area] * FRAMES
    stats = evaluate(truth, as_results(truth)).stats
    assert {name: stats[f"AP{name}"] for name in "sml"} == {name: 1 if name in found else -1 for name in "sml"}


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_the_highest_score_takes_the_object_whatever_its_place_in_the_file(truth, order):
    truth["annotations"] = truth["annotations"][:1]
    (exact,) = as_results(truth, score=0.3)
    near = {**exact, "score": 0.9, "segmentations": [box_rle(2 + frame % 3) for frame in range(FRAMES)]}  # IoU 0.6
    stats = evaluate(truth, [exact, near][order]).stats
    assert stats["AP50"] == pytest.approx(1)
    assert stats["AP75"] == pytest.approx(1 / 2)


def test_a_new_id_in_every_frame_scores_next_to_nothing(truth):
    results = []
    for entry in as_results(truth):
        for frame in range(FRAMES):
            alone = [rle if index == frame else None for index, rle in enumerate(entry["segmentations"])]
            results.append({**entry, "segmentations": alone})
    figures = evaluate(truth, results)
    assert figures.stats["AP"] < 0.01
    assert figures.stats["AR100"] < 0.01


def test_an_empty_result_list_scores_zero(truth):
    figures = evaluate(truth, [])
    assert figures.stats["AP"] == figures.stats["AR100"] == 0
    assert figures.stats["APl"] == -1


def test_a_truth_without_annotations_gives_absent_figures(truth):
    results = as_results(truth)
    truth["annotations"] = []
    figures = evaluate(truth, results)
    assert set(figures.stats.values()) == {-1.0}
    assert figures.per_category == {}


@pytest.mark.parametrize("missing", [None, "absent"])
def test_a_file_without_truth_is_refused(truth, missing):
    truth["annotations"] = missing
    with pytest.raises(UserError, match="no list of annotations"):
        evaluate(truth, [])


def test_class_agnostic_forgives_the_category_and_nothing_else(truth):
    results = as_results(truth)
    for entry in results:
        entry["category_id"] = 6
    assert evaluate(truth, results).stats["AP"] == 0
    figures = evaluate(truth, results, class_agnostic=True)
    assert figures.stats["AP"] == pytest.approx(1.0)
    assert [row["name"] for row in figures.per_category.values()] == ["all categories"]


def test_detections_in_videos_without_truth_are_false_positives(truth):
    results = as_results(truth)
    truth["annotations"] = truth["annotations"][:2]  # video 4 keeps its detection of category 5
    results[2]["score"] = 0.95
    assert evaluate(truth, results).per_category[5]["AP"] == pytest.approx(0.5)


def test_results_of_unknown_categories_are_dropped_with_a_warning(truth):
    results = as_results(truth)
    results.append({**results[0], "category_id": 77, "score": 1.0})
    figures = evaluate(truth, results)
    assert figures.stats["AP"] == pytest.approx(1.0)
    assert any("77" in warning for warning in figures.warnings)


def test_results_of_unknown_videos_are_an_error_that_names_the_video(truth):
    results = as_results(truth)
    results[1]["video_id"] = 555
    with pytest.raises(UserError, match="video 555"):
        evaluate(truth, results)


def test_a_shorter_result_is_compared_as_far_as_it_goes_with_a_warning(truth):
    results = as_results(truth)
    results[0]["segmentations"] = results[0]["segmentations"][:3]
    figures = evaluate(truth, results)
    assert figures.stats["AP"] == pytest.approx(1.0)
    assert any("video 9" in warning and "12 frames" in warning for warning in figures.warnings)


def test_frames_of_another_size_add_nothing_with_a_warning(truth):
    results = as_results(truth)
    results[0]["segmentations"][0] = encode_masks(np.ones((1, 5, 5), dtype=bool))[0]
    figures = evaluate(truth, results)
    assert figures.stats["AP"] == pytest.approx(1.0)
    assert any("video 9" in warning and "size" in warning for warning in figures.warnings)


def test_annotation_id_zero_counts_unless_strict(truth):
    truth["annotations"][1]["id"] = 0
    figures = evaluate(truth, as_results(truth))
    assert figures.per_category[12]["AP"] == pytest.approx(1.0)
    assert any("annotation id 0" in warning for warning in figures.warnings)
    assert evaluate(truth, as_results(truth), strict=True).per_category[12]["AP"] == 0


def test_a_crowd_absorbs_any_number_of_detections(truth):
    truth["annotations"][0]["iscrowd"] = 1
    results = as_results(truth)
    results += [{**results[0], "score": 0.99} for _ in range(5)]
    assert evaluate(truth, results).per_category[5]["AP"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [({"size": list(SIZE), "counts": "04"}, "pixels"), ([[1, 2, 3]], "pairs"), (7, "segmentation is")],
)
def test_a_malformed_mask_is_named_with_video_result_and_frame(truth, segmentation, reason):
    results = as_results(truth)
    results[2]["segmentations"][5] = segmentation
    with pytest.raises(UserError, match=f"video 4, result 2, frame 5: .*{reason}"):
        evaluate(truth, results)


def test_a_malformed_annotation_is_named(truth):
    results = as_results(truth)
    truth["annotations"][1]["segmentations"][0] = {"size": list(SIZE), "counts": [3]}
    with pytest.raises(UserError, match="video 9, annotation 2, frame 0"):
        evaluate(truth, results)


@pytest.mark.parametrize(
    ("where", "change"),
    [
        ("videos", {"height": None}),
        ("videos", {"height": 10**9}),
        ("videos", {"id": "a"}),
        ("videos", {"id": 4}),
        ("categories", {"id": None}),
        ("annotations", {"id": None}),
        ("annotations", {"video_id": None}),
        ("annotations", {"segmentations": None}),
        ("annotations", {"areas": ["many"]}),
    ],
)
def test_a_malformed_ground_truth_is_a_user_error(truth, where, change):
    truth[where][0].update(change)
    with pytest.raises(UserError, match="ground truth"):
        evaluate(truth, [])


def test_areas_that_are_not_annotated_come_from_the_masks(truth):
    results = as_results(truth)
    for entry in truth["annotations"]:
        del entry["areas"]
    assert evaluate(truth, results).stats["APs"] == pytest.approx(1.0)


def test_polygons_and_uncompressed_results_are_accepted(truth):
    polygon = [[0, 4, 8, 4, 8, 14, 0, 14]]
    truth["annotations"] = [annotation(1, 9, 5, 0, segmentations=[box_rle(0)] * FRAMES)]
    for segmentation in (polygon, {"size": list(SIZE), "counts": [4, *[10, 10] * 7, 10, 446]}):
        entry = {"video_id": 9, "category_id": 5, "score": 0.5, "segmentations": [segmentation] * FRAMES}
        assert evaluate(truth, [entry]).stats["AP"] == pytest.approx(1.0)


def test_occlusion_figures_need_every_label(truth):
    results = as_results(truth)
    assert evaluate(truth, results).ovis is None
    for entry in truth["annotations"]:
        entry["occlusion"] = ["no_occlusion"] * FRAMES
    assert evaluate(truth, results).ovis["AP_so"] == pytest.approx(1.0)
    truth["annotations"][0]["occlusion"][3] = None
    figures = evaluate(truth, results)
    assert figures.ovis is None
    assert any("1 of 3 annotations lack occlusion labels" in warning for warning in figures.warnings)


def test_evaluation_leaves_its_input_alone(truth):
    results = as_results(truth)
    before = copy.deepcopy((truth, results))
    evaluate(truth, results)
    assert (truth, results) == before


def test_the_table_shows_overall_categories_and_warnings(truth):
    results = [*as_results(truth), {"video_id": 4, "category_id": 77, "score": 1.0, "segmentations": []}]
    text = format_figures(evaluate(truth, results))
    assert "all categories, per cent" in text
    assert "100.0 " in text
    assert "dog" in text
    assert "OVIS figures: left out" in text
    assert "warning: 1 results of categories" in text


def with_boxes(entry, key="bboxes"):
    boxes = [[10.0 * frame, 5.0, 8.0, 10.0] for frame in range(FRAMES)]
    if key == "detections":
        boxes = [[x, y, x + w, y + h] for x, y, w, h in boxes]
    return {**entry, key: boxes}


def test_boxes_of_the_truth_as_prediction_score_one(truth):
    boxed = {**truth, "annotations": [with_boxes(a) for a in truth["annotations"]]}
    for key in ("bboxes", "detections"):
        results = [with_boxes(r, key) for r in as_results(truth)]
        assert evaluate(boxed, results, iou_type="bbox").stats["AP"] == pytest.approx(1.0)


def test_results_without_boxes_take_those_around_their_masks(truth):
    # without bboxes in the truth both sides are boxes around masks
    assert evaluate(truth, as_results(truth), iou_type="bbox").stats["AP"] == pytest.approx(1.0)
    boxed = {**truth, "annotations": [with_boxes(a) for a in truth["annotations"]]}
    assert evaluate(boxed, as_results(truth), iou_type="bbox").stats["AP"] < 0.5


def test_bboxes_of_results_go_before_detections(truth):
    boxed = {**truth, "annotations": [with_boxes(a) for a in truth["annotations"]]}
    results = [{**with_boxes(r), "detections": [None] * FRAMES} for r in as_results(truth)]
    assert evaluate(boxed, results, iou_type="bbox").stats["AP"] == pytest.approx(1.0)


def test_areas_of_boxes_are_width_times_height(truth):
    boxed = {**truth, "annotations": [with_boxes(a) for a in truth["annotations"]]}
    for entry in boxed["annotations"]:
        entry["bboxes"] = [[0, 0, 200, 200]] * FRAMES
        entry["areas"] = [1] * FRAMES
    figures = evaluate(boxed, as_results(truth), iou_type="bbox")
    assert figures.stats["APs"] == -1
    assert figures.stats["APm"] > -1


def test_a_malformed_box_is_named(truth):
    results = as_results(truth)
    results[1]["bboxes"] = [[1, 2, 3]] * FRAMES
    with pytest.raises(UserError, match="video 9, result 1, frame 0: a box is four numbers"):
        evaluate(truth, results, iou_type="bbox")


@pytest.mark.slow
def test_several_processes_give_the_same_figures(truth):
    one, two = (evaluate(truth, as_results(truth), workers=workers) for workers in (1, 2))
    assert one.to_json() == two.to_json()
    assert np.array_equal(one.precision, two.precision)


@pytest.mark.slow
def test_what_a_process_refuses_is_one_error(truth):
    results = as_results(truth)
    results[0]["segmentations"] = [{"size": [20, 30], "counts": "5"}] * FRAMES
    with pytest.raises(UserError, match="video 9, result 0, frame 0: counts cover 5 pixels"):
        evaluate(truth, results, workers=2)
