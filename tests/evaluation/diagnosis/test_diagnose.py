import copy
from functools import partial

import made_tracks
import numpy as np
import pytest
from made_tracks import SIZE, box, result

from mmdet.benchmark.made_up_results import Scale, make_case
from mmdet.errors import UserError
from mmdet.evaluation import evaluate
from mmdet.evaluation.diagnosis.diagnose import diagnose, format_diagnosis
from mmdet.evaluation.tracks.join import join_results, prepare_truth
from mmdet.evaluation.tracks.mask_tracks import mask_ious, read_mask_tracks
from mmdet.evaluation.tracks.overlaps import read_overlaps

FRAMES = 4
CAT, DOG = 5, 12
SINGLE = ("classes", "tracking", "masks")
annotation = partial(made_tracks.annotation, frames=FRAMES)


@pytest.fixture
def truth():
    """A cat on the left and a dog on the right, both at rest."""
    return {
        "videos": [{"id": 1, "height": SIZE[0], "width": SIZE[1], "length": FRAMES}],
        "categories": [{"id": CAT, "name": "cat"}, {"id": DOG, "name": "dog"}],
        "annotations": [annotation(1, CAT, 0), annotation(2, DOG, 20)],
    }


@pytest.fixture
def perfect(truth):
    return [result(a["category_id"], list(a["segmentations"])) for a in truth["annotations"]]


def only_repair(diagnosis, name):
    """Whether this repair and no other single one changes the AP, and to 1."""
    others = [diagnosis.ap_after[other] for other in SINGLE if other != name]
    return diagnosis.ap_after[name] == pytest.approx(1.0) and others == [diagnosis.ap] * 2 and diagnosis.ap < 0.9


def test_perfect_results_lose_nothing(truth, perfect):
    diagnosis = diagnose(truth, perfect)
    assert [diagnosis.ap, *diagnosis.ap_after.values()] == pytest.approx([1.0] * 5)
    assert diagnosis.remaining == pytest.approx(0)


def test_a_wrong_class_is_made_good_by_classes_only(truth, perfect):
    perfect[0]["category_id"] = DOG
    diagnosis = diagnose(truth, perfect)
    assert only_repair(diagnosis, "classes")
    assert diagnosis.remaining == pytest.approx(0)  # of what is lost now nothing is beyond all repairs


def test_swapped_identities_are_made_good_by_tracking_only(truth, perfect):
    first, second = perfect
    for frame in (2, 3):
        one, other = first["segmentations"], second["segmentations"]
        one[frame], other[frame] = other[frame], one[frame]
    first["category_id"] = second["category_id"] = CAT
    for entry in truth["annotations"]:
        entry["category_id"] = CAT
    assert only_repair(diagnose(truth, perfect), "tracking")


def test_shrunken_masks_are_made_good_by_masks_only(truth, perfect):
    for entry, left in zip(perfect, (0, 20), strict=True):
        entry["segmentations"] = [box(left, 4)] * FRAMES
    assert only_repair(diagnose(truth, perfect), "masks")


def test_a_missed_object_is_what_remains(truth, perfect):
    diagnosis = diagnose(truth, perfect[:1])
    assert [diagnosis.ap, *diagnosis.ap_after.values()] == pytest.approx([0.5] * 5)
    assert diagnosis.remaining == pytest.approx(0.5)


def test_a_false_object_stays_after_all_repairs(truth, perfect):
    perfect.append(result(CAT, [box(32, 5)] * FRAMES, score=0.99))
    diagnosis = diagnose(truth, perfect)
    assert [diagnosis.ap, *diagnosis.ap_after.values()] == pytest.approx([0.75] * 5)


def test_three_errors_at_once_are_made_good_together_and_by_no_single_repair(truth):
    halves = [[box(0, 4)] * 2 + [box(20, 4)] * 2, [box(20, 4)] * 2 + [box(0, 4)] * 2]
    diagnosis = diagnose(truth, [result(DOG, halves[0]), result(CAT, halves[1])])
    assert max(diagnosis.ap_after[name] for name in SINGLE) < 0.5
    assert diagnosis.ap_after["all"] == pytest.approx(1.0)


def test_two_pieces_become_one_track_of_the_category_with_most_scores(truth):
    truth["annotations"].pop()
    pieces = [result(DOG, [box(0), None, None, None], 0.9), result(CAT, [None, *[box(0)] * 3], 0.4)]
    assert diagnose(truth, pieces).ap_after["tracking"] == pytest.approx(1.0)
    pieces[1]["score"] = 0.2  # three times .2 is less than .9
    assert diagnose(truth, pieces).ap_after["tracking"] == 0


def test_a_joined_track_has_the_highest_score_of_its_pieces(truth):
    truth["annotations"].pop()
    half = FRAMES // 2
    pieces = [[box(0)] * half + [None] * half, [None] * half + [box(0)] * half]
    results = [result(CAT, pieces[0], 0.3), result(CAT, [box(30)] * FRAMES, 0.5), result(CAT, pieces[1], 0.9)]
    assert diagnose(truth, results).ap_after["tracking"] == pytest.approx(1.0)


def test_of_two_claims_on_one_frame_the_better_mask_stands(truth):
    truth["annotations"].pop()
    diagnosis = diagnose(truth, [result(CAT, [box(0, 6)] * FRAMES, 0.9), result(CAT, [box(0)] * FRAMES, 0.3)])
    assert diagnosis.ap < 0.7
    assert diagnosis.ap_after["tracking"] == pytest.approx(1.0)


def test_leftover_pieces_of_a_result_are_no_new_false_positives(truth):
    truth["annotations"].pop()
    drifted = result(CAT, [box(0), box(0), box(25), box(25)], 0.9)
    diagnosis = diagnose(truth, [drifted, result(CAT, [None, None, box(0), box(0)], 0.5)])
    assert diagnosis.ap_after["tracking"] == pytest.approx(1.0)


def test_a_crowd_repairs_nothing(truth, perfect):
    truth["annotations"][1]["iscrowd"] = 1
    perfect[1]["category_id"] = CAT
    perfect[1]["score"] = 0.99
    diagnosis = diagnose(truth, perfect)
    assert [diagnosis.ap, *diagnosis.ap_after.values()] == pytest.approx([0.5] * 5)
    assert diagnosis.confusion.pairs == {(CAT, CAT): 1}
    assert not diagnosis.confusion.unmatched
    assert not diagnosis.confusion.missed


def test_a_result_that_overlaps_an_object_a_little_gets_its_class(truth, perfect):
    perfect[1] = result(CAT, [box(20, 4)] * FRAMES, 0.99)  # IoU 0.4 with the dog
    diagnosis = diagnose(truth, perfect)
    assert diagnosis.ap == pytest.approx(0.25)
    assert diagnosis.ap_after["classes"] == pytest.approx(0.5)  # no false cat any more, and as a dog too small


def test_a_result_that_overlaps_no_object_enough_keeps_its_class(truth, perfect):
    perfect[0] = result(DOG, [box(9, 10)] * FRAMES)  # IoU 10 / 190 with the cat
    diagnosis = diagnose(truth, perfect)
    assert diagnosis.ap_after["classes"] == diagnosis.ap == pytest.approx(0.25)  # as a cat it would cost nothing


def as_others(entries, share=0.5):
    """Return entries and, with a share of their scores, the same tracks as the other class."""
    others = {CAT: DOG, DOG: CAT}
    copies = [
        entry | {"category_id": others[entry["category_id"]], "score": share * entry["score"]} for entry in entries
    ]
    return [*entries, *copies]


def test_tracks_as_other_classes_cost_no_repair_anything(truth, perfect):
    """The best classes are right; what is false, with lower scores, costs nothing."""
    diagnosis = diagnose(truth, as_others(perfect))
    assert [diagnosis.ap, *diagnosis.ap_after.values()] == pytest.approx([1.0] * 5)


def test_a_track_of_true_class_is_no_longer_written_as_others(truth, perfect):
    """Copies of the cat and of the dog as cats, with higher scores than the true cat's, would be false cats."""
    truth["annotations"] = [annotation(1, CAT, 0), annotation(2, CAT, 20)]
    first, second = (entry | {"category_id": CAT} for entry in perfect)
    results = as_others([first | {"score": 0.9}, second | {"score": 0.3}])
    assert diagnose(truth, results).ap_after["classes"] == pytest.approx(1.0)


def test_a_track_without_an_object_stays_written_as_all_its_classes_when_classes_are_true(truth, perfect):
    stray = [result(CAT, [box(32, 5)] * FRAMES, 0.99), result(DOG, [box(32, 5)] * FRAMES, 0.95)]
    assert diagnose(truth, [*perfect, *stray]).ap_after["classes"] == pytest.approx(0.5)


def test_joined_tracks_stay_written_under_as_many_classes_as_they_were(truth):
    """Two pieces of a cat, each a dog first: their joined track is a cat too, as each of them was."""
    truth["annotations"].pop()
    pieces = [[box(0), None, None, None], [None, *[box(0)] * 3]]
    results = [result(DOG, pieces[0], 0.9), result(CAT, pieces[0], 0.4), result(DOG, pieces[1], 0.8)]
    assert diagnose(truth, results).ap_after["tracking"] == pytest.approx(1.0)
    assert diagnose(truth, [results[0], results[2]]).ap_after["tracking"] == 0
    assert diagnose(truth, [result(CAT, pieces[0], 0.9), results[2]]).ap_after["tracking"] == 0  # a dog by its scores


def test_a_track_under_several_classes_is_one_in_confusions(truth, perfect):
    wrong = [perfect[0] | {"category_id": DOG, "score": 0.9}, perfect[0] | {"score": 0.7}]
    confusion = diagnose(truth, [*wrong, perfect[1] | {"score": 0.5}, perfect[1] | {"category_id": CAT, "score": 0.4}])
    assert confusion.confusion.pairs == {(CAT, DOG): 1, (DOG, DOG): 1}
    assert not confusion.confusion.unmatched
    assert not confusion.confusion.missed


def test_confusions_are_counted_by_true_and_predicted_category(truth, perfect):
    perfect[0]["category_id"] = DOG
    results = [perfect[0], result(CAT, [box(30, 5)] * FRAMES, 0.1)]
    diagnosis = diagnose(truth, results)
    assert diagnosis.confusion.confusions() == [(CAT, DOG, 1)]
    rows = diagnosis.to_json()["per_category"]
    counts = {"objects": 1, "found": 0}
    assert rows["5"] == {"name": "cat", **counts, "as_other": 1, "missed": 0, "unmatched": 1}
    assert rows["12"] == {"name": "dog", **counts, "as_other": 0, "missed": 1, "unmatched": 0}


def test_the_highest_score_takes_the_object_in_confusions(truth, perfect):
    results = [*perfect, result(DOG, [*perfect[0]["segmentations"][:-1], box(0, width=9)], 0.95)]
    confusion = diagnose(truth, results).confusion
    assert confusion.pairs == {(CAT, DOG): 1, (DOG, DOG): 1}
    assert confusion.unmatched == {CAT: 1}


@pytest.mark.parametrize("kind", ["polygons", "uncompressed", "other size", "shorter", "longer"])
def test_all_kinds_of_segmentations_are_taken(truth, perfect, kind):
    masks = perfect[0]["segmentations"]
    if kind == "polygons":
        masks[0] = [[0, 4, 10, 4, 10, 14, 0, 14]]
    elif kind == "uncompressed":
        masks[0] = {"size": list(SIZE), "counts": [4, *[10] * 19, 606]}
    elif kind == "other size":
        masks[0] = box(0, size=(30, 50))
    elif kind == "shorter":
        masks.pop()
    else:
        masks.append(box(0))
    diagnosis = diagnose(truth, perfect)
    assert diagnosis.ap == evaluate(truth, perfect).stats["AP"]
    assert diagnosis.ap_after["classes"] == diagnosis.ap
    assert diagnosis.confusion.pairs[CAT, CAT] == 1


def test_track_ious_are_the_evaluators(truth):
    truth, results = make_case(Scale(videos=1, frames=6, truths=3, results=6, categories=2, size=(40, 60)))
    results[0]["segmentations"] = results[0]["segmentations"][:3]
    results[1]["segmentations"] = [*[box(0, size=(30, 50))] * 3, *results[1]["segmentations"][3:]]
    (case,), _ = join_results(prepare_truth(truth), results)
    masks = read_mask_tracks([t.segmentations for t in (*case.results, *case.truths)], case.size)
    expected, sizes_differ = mask_ious(masks[:6], masks[6:])
    assert sizes_differ
    assert (expected[:2] > 0.1).any(axis=1).all()
    np.testing.assert_array_equal(read_overlaps(case).track_ious, expected)


def test_malformed_masks_are_named_by_video_and_frame(truth, perfect):
    perfect[1]["segmentations"][2] = {"size": list(SIZE), "counts": "zz"}
    (case,), _ = join_results(prepare_truth(truth), perfect)
    with pytest.raises(UserError, match="video 1, result 1, frame 2"):
        read_overlaps(case)


def test_input_is_left_as_it_is(truth, perfect):
    before = copy.deepcopy((truth, perfect))
    diagnose(truth, perfect)
    assert (truth, perfect) == before


def test_no_results_and_no_objects_are_no_error(truth):
    empty = diagnose(truth, [])
    assert list(empty.ap_after.values()) == [0] * 4
    assert empty.confusion.missed == {CAT: 1, DOG: 1}
    truth["annotations"] = []
    assert "no object to find" in format_diagnosis(diagnose(truth, []))


def test_the_table_shows_gains_and_confusions(truth, perfect):
    perfect[0]["category_id"] = DOG
    lines = [line.split() for line in format_diagnosis(diagnose(truth, perfect)).splitlines()]
    assert ["classes", "100.0", "+75.0"] in lines
    assert ["cat", "dog", "1"] in lines
    assert ["cat", "1", "0", "1", "0", "0"] in lines
