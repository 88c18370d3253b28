import json
import sys
from functools import partial

import made_tracks
import pytest
import trackeval
from made_tracks import SIZE, box, result

from mmdet.benchmark.made_up_results import Scale, make_case
from mmdet.errors import UserError
from mmdet.evaluation.association.hota import association_figures, format_association
from mmdet.evaluation.association.sequences import read_sequences
from mmdet.evaluation.tracks.cases import ANY_CATEGORY
from mmdet.evaluation.tracks.join import join_results, prepare_truth

FRAMES = 10
CAT, DOG, COW = 5, 12, 13
annotation = partial(made_tracks.annotation, frames=FRAMES)


@pytest.fixture
def truth():
    """A cat on the left and a dog on the right, both at rest."""
    return {
        "videos": [{"id": 1, "height": SIZE[0], "width": SIZE[1], "length": FRAMES}],
        "categories": [{"id": CAT, "name": "cat"}, {"id": DOG, "name": "dog"}, {"id": COW, "name": "cow"}],
        "annotations": [annotation(1, CAT, 0), annotation(2, DOG, 20)],
    }


@pytest.fixture
def perfect(truth):
    return [result(a["category_id"], list(a["segmentations"])) for a in truth["annotations"]]


@pytest.fixture
def switched(truth):
    """The cat under two identities, one after the other."""
    truth["annotations"].pop()
    half = FRAMES // 2
    return [result(CAT, [box(0)] * half + [None] * half), result(CAT, [None] * half + [box(0)] * half)]


def test_perfect_results_score_one_everywhere(truth, perfect):
    figures = association_figures(truth, perfect, 0.5)
    rows = [figures[name] for name in ("overall", "detection_average", "class_average")]
    for row in [*rows, *figures["per_category"].values()]:
        assert [row[name] for name in ("HOTA", "DetA", "AssA", "LocA", "IDF1", "MOTA")] == pytest.approx([1.0] * 6)
    assert figures["overall"]["IDSW"] == 0
    assert set(figures["per_category"]) == {str(CAT), str(DOG)}
    assert figures["warnings"] == []


def test_tracks_as_other_classes_are_no_false_tracks(truth, perfect):
    copies = [perfect[0] | {"category_id": COW, "score": 0.8}, perfect[1] | {"category_id": CAT, "score": 0.8}]
    figures = association_figures(truth, [*copies, *perfect], 0.5)
    assert figures["results_kept"] == 2
    assert set(figures["per_category"]) == {str(CAT), str(DOG)}
    for row in (figures["overall"], figures["class_average"], *figures["per_category"].values()):
        assert [row[name] for name in ("HOTA", "IDF1", "MOTA")] == pytest.approx([1.0] * 3)


def test_a_track_counts_by_its_best_score_and_never_as_another_class(truth, perfect):
    perfect[0]["score"] = 0.4
    figures = association_figures(truth, [*perfect, perfect[1] | {"category_id": CAT, "score": 0.6}], 0.5)
    assert figures["results_kept"] == 1
    assert figures["per_category"][str(CAT)]["CLR_FP"] == 0
    assert figures["per_category"][str(DOG)]["IDF1"] == pytest.approx(1)


def test_an_identity_switch_lowers_association_and_not_detection(truth, switched):
    row = association_figures(truth, switched, 0.5)["overall"]
    assert [row["DetA"], row["LocA"]] == pytest.approx([1, 1])
    assert row["AssA"] == pytest.approx(0.5)
    assert row["HOTA"] == pytest.approx(0.5**0.5)
    assert row["IDF1"] == pytest.approx(0.5)
    assert row["IDSW"] == 1
    assert row["MOTA"] == pytest.approx(1 - 1 / FRAMES)


def test_a_wrong_category_counts_per_category_only(truth, perfect):
    perfect[0]["category_id"] = COW
    figures = association_figures(truth, perfect, 0.5)
    assert figures["overall"]["HOTA"] == pytest.approx(1)
    assert figures["per_category"][str(CAT)]["HOTA"] == 0
    assert figures["per_category"][str(COW)]["HOTA"] is None
    assert figures["class_average"]["HOTA"] == pytest.approx(0.5)  # of cat and dog
    assert figures["detection_average"]["DetA"] == pytest.approx(1 / 3)  # a match, a miss and a false object a frame


def test_the_detection_average_weighs_categories_by_their_masks_and_the_class_average_does_not(truth, perfect):
    truth["annotations"][0]["segmentations"][1:] = [None] * (FRAMES - 1)
    figures = association_figures(truth, perfect[1:], 0.5)  # the cat, in one frame, is missed
    assert figures["detection_average"]["DetA"] == pytest.approx(FRAMES / (FRAMES + 1))
    assert figures["class_average"]["DetA"] == pytest.approx(1 / 2)


def test_results_below_the_threshold_do_not_count(truth, perfect):
    false = result(CAT, [box(30)] * FRAMES, 0.4)
    kept, all_of_them = (association_figures(truth, [*perfect, false], score)["overall"] for score in (0.5, 0.4))
    assert kept["CLR_FP"] == 0
    assert all_of_them["CLR_FP"] == FRAMES
    assert all_of_them["MOTA"] == pytest.approx(0.5)


def test_small_shifts_lower_localisation(truth, perfect):
    perfect[0]["segmentations"] = [box(1)] * FRAMES
    row = association_figures(truth, perfect, 0.5)["per_category"][str(CAT)]
    assert row["MOTP"] == pytest.approx(90 / 110)
    assert row["MOTA"] == pytest.approx(1)
    assert 0.8 < row["LocA"] < 0.9


@pytest.mark.parametrize(("left", "false_positives"), [(20, 0), (24, 0), (25, FRAMES), (30, FRAMES)])
def test_masks_with_more_than_half_of_them_in_a_crowd_are_left_out(truth, perfect, left, false_positives):
    truth["annotations"][1] |= {"iscrowd": 1, "category_id": CAT}
    figures = association_figures(truth, [perfect[0], result(CAT, [box(left)] * FRAMES)], 0.5)
    assert figures["overall"]["CLR_FP"] == false_positives
    assert figures["overall"]["CLR_FN"] == 0
    assert figures["per_category"][str(CAT)]["CLR_FP"] == false_positives


def test_a_mask_in_a_crowd_that_an_object_needs_stays(truth, perfect):
    truth["annotations"].append(annotation(3, CAT, 0, iscrowd=1))
    twice = [*perfect, result(CAT, [box(1)] * FRAMES)]
    row = association_figures(truth, twice, 0.5)["overall"]
    assert [row["CLR_TP"], row["CLR_FP"], row["CLR_FN"]] == [2 * FRAMES, 0, 0]


def test_a_shorter_result_misses_and_a_longer_one_is_cut(truth, perfect):
    del perfect[0]["segmentations"][4:]
    perfect[1]["segmentations"] += [box(20)] * 7
    row = association_figures(truth, perfect, 0.5)["overall"]
    assert [row["CLR_TP"], row["CLR_FP"], row["CLR_FN"]] == [FRAMES + 4, 0, FRAMES - 4]


def test_masks_of_another_size_match_nothing(truth, perfect):
    perfect[0]["segmentations"][0] = box(0, size=(30, 50))
    row = association_figures(truth, perfect, 0.5)["overall"]
    assert [row["CLR_FP"], row["CLR_FN"]] == [1, 1]


def test_no_results_score_zero_with_a_warning_and_no_objects_are_absent(truth, perfect):
    figures = association_figures(truth, perfect, 2)
    assert [figures["overall"][name] for name in ("HOTA", "IDF1", "MOTA", "LocA")] == [0, 0, 0, None]
    assert figures["warnings"] == ["no result has a score of 2 or more"]
    truth["annotations"] = []
    for results in (perfect, []):
        empty = association_figures(truth, results, 0.5)
        assert empty["overall"]["HOTA"] is empty["class_average"]["HOTA"] is None
        assert empty["overall"]["CLR_FP"] == FRAMES * len(results)
        format_association(empty)


def test_figures_are_those_of_trackeval_for_one_sequence():
    truth, results = make_case(Scale(videos=1, frames=12, truths=4, results=9, categories=3, size=(60, 80)))
    row = association_figures(truth, results, 0.3)["overall"]
    (case,), _ = join_results(prepare_truth(truth), results)
    sequence = dict(read_sequences(case, 0.3))[ANY_CATEGORY]
    assert {len(ids) for ids in sequence["tracker_ids"]} != {0}
    expected = trackeval.metrics.HOTA().eval_sequence(sequence)
    for name in ("HOTA", "DetA", "AssA", "LocA"):
        assert 0.05 < row[name] < 0.95
        assert row[name] == pytest.approx(expected[name].mean())


def test_videos_are_added_up(truth, switched):
    second = {**truth["annotations"][0], "id": 9, "video_id": 2}
    truth["videos"].append({**truth["videos"][0], "id": 2})
    truth["annotations"].append(second)
    whole = {**result(CAT, second["segmentations"]), "video_id": 2}
    row = association_figures(truth, [*switched, whole], 0.5)["overall"]
    assert row["AssA"] == pytest.approx(0.75)
    assert row["MOTA"] == pytest.approx(1 - 1 / (2 * FRAMES))


def test_nothing_is_printed_and_the_figures_are_plain(truth, perfect, capsys, recwarn):
    figures = association_figures(truth, perfect, 0.5)
    assert json.loads(json.dumps(figures)) == figures
    assert capsys.readouterr() == ("", "")
    assert not recwarn.list


def test_the_table_names_threshold_and_categories(truth, perfect):
    lines = format_association(association_figures(truth, perfect[:1], 0.25)).splitlines()
    assert lines[0] == "association of the 1 tracks with score >= 0.25, per cent"
    rows = {line.split("  ")[0]: line.split()[-7:] for line in lines[2:]}
    assert rows["cat"] == ["100.0"] * 6 + ["0"]
    assert rows["dog"] == ["0.0"] * 3 + ["-", "0.0", "0.0", "0"]


@pytest.mark.parametrize("threshold", [float("nan"), float("inf"), True])
def test_a_threshold_is_a_number(truth, perfect, threshold):
    with pytest.raises(UserError, match="score threshold"):
        association_figures(truth, perfect, threshold)


def test_without_the_package_one_line_says_how_to_get_it(truth, perfect, monkeypatch):
    monkeypatch.setitem(sys.modules, "trackeval.metrics", None)
    with pytest.raises(UserError, match=r"pip install 'memcnp-vis\[hota\]'"):
        association_figures(truth, perfect, 0.5)
