import numpy as np
import pytest

from mmdet.evaluation import evaluate
from mmdet.evaluation.ap.thresholds import MOST_THRESHOLDS, score_curve
from tests.helpers.made_tracks import SIZE, annotation, box, result

FRAMES = 4
LEFT = {1: 0, 2: 15, 3: 28}  # of the objects' boxes, ten columns wide


def truth(*annotations):
    return {
        "videos": [{"id": 1, "height": SIZE[0], "width": SIZE[1], "length": FRAMES}],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": list(annotations),
    }


def three_objects():
    """Two cats and a dog."""
    return truth(*(annotation(number, 1 + number // 3, LEFT[number], FRAMES) for number in LEFT))


def track(category_id, left, score, other=0):
    """Return a track; `other` tells it from those of the same place: in one frame it is so much narrower."""
    return result(category_id, [*[box(left)] * (FRAMES - 1), box(left, width=10 - other)], score)


def values(curve):
    rows = zip(curve.thresholds, curve.precision, curve.recall, curve.f1, curve.tracks, strict=True)
    return [tuple(map(float, row)) for row in rows]


def test_precision_recall_and_f1_over_the_tracks_of_all_categories():
    results = [track(1, LEFT[1], 0.9), track(1, LEFT[3], 0.8), track(2, LEFT[3], 0.6, other=1), track(1, LEFT[2], 0.2)]
    curve = score_curve(three_objects(), results)  # found, a cat where the dog is, found, found
    assert values(curve) == [
        pytest.approx((0.2, 3 / 4, 1, 2 * 3 / (4 + 3), 4)),
        pytest.approx((0.6, 2 / 3, 2 / 3, 2 * 2 / (3 + 3), 3)),
        pytest.approx((0.8, 1 / 2, 1 / 3, 2 * 1 / (2 + 3), 2)),
        pytest.approx((0.9, 1, 1 / 3, 2 * 1 / (1 + 3), 1)),
    ]


def test_the_best_threshold_is_between_the_score_of_the_best_f1_and_the_next_lower_one():
    results = [track(1, LEFT[1], 0.9), track(2, LEFT[3], 0.6), track(2, LEFT[1], 0.2, other=1), track(2, LEFT[2], 0.1)]
    assert score_curve(three_objects(), results).best == pytest.approx((0.6 + 0.2) / 2)


def test_if_all_tracks_are_worth_keeping_the_best_threshold_is_half_the_lowest_score():
    results = [track(1, LEFT[1], 0.9), track(2, LEFT[3], 0.6)]
    assert score_curve(three_objects(), results).best == pytest.approx(0.3)


def test_of_equal_f1_the_higher_threshold_is_taken():
    # 0.9: 2 * 1 / (1 + 3) = 1/2; 0.5: 2 * 2 / (5 + 3) = 1/2
    wrong = [track(2, LEFT[1], 0.7, other=1), track(2, LEFT[2], 0.7, other=1), track(1, 29, 0.7)]
    curve = score_curve(three_objects(), [track(1, LEFT[1], 0.9), *wrong, track(1, LEFT[2], 0.5)])
    assert curve.f1[0] == curve.f1[-1] == 0.5
    assert curve.best == pytest.approx((0.9 + 0.7) / 2)


def test_tracks_of_equal_score_are_kept_together():
    results = [track(1, LEFT[1], 0.5), track(2, LEFT[1], 0.5, other=1), track(2, LEFT[3], 0.5)]
    curve = score_curve(three_objects(), results)
    assert values(curve) == [pytest.approx((0.5, 2 / 3, 2 / 3, 2 / 3, 3))]


def test_of_two_tracks_on_one_object_only_the_better_one_matches():
    curve = score_curve(three_objects(), [track(1, LEFT[1], 0.4), track(1, LEFT[1], 0.8, other=1)])
    assert curve.precision.tolist() == [0.5, 1]


def test_a_track_that_overlaps_by_less_than_half_is_false():
    results = [track(1, LEFT[1] + 4, 0.5), track(1, LEFT[2] + 3, 0.5)]  # IoU 6 / 14 and 7 / 13
    assert values(score_curve(three_objects(), results)) == [pytest.approx((0.5, 1 / 2, 1 / 3, 2 / 5, 2))]


def test_crowds_need_not_be_found_and_tracks_on_them_are_not_counted():
    crowd = annotation(2, 1, LEFT[2], FRAMES, iscrowd=1)
    curve = score_curve(truth(annotation(1, 1, LEFT[1], FRAMES), crowd), [track(1, LEFT[2], 0.9), track(1, 0, 0.4)])
    assert values(curve) == [pytest.approx((0.4, 1, 1, 1, 1))]


def test_without_results_there_are_no_thresholds():
    curve = score_curve(three_objects(), [])
    assert (values(curve), curve.best) == ([], None)


def test_without_objects_every_track_is_false_and_no_threshold_is_best():
    curve = score_curve(truth(), [track(1, 0, 0.3)])
    assert (values(curve), curve.best) == ([(0.3, 0, 0, 0, 1)], None)


def test_if_no_track_matches_an_object_no_threshold_is_best():
    assert score_curve(three_objects(), [track(2, LEFT[1], 0.3), track(2, LEFT[2], 0.6)]).best is None


def test_a_negative_lowest_score_is_the_best_threshold_itself():
    assert score_curve(three_objects(), [track(1, LEFT[1], -2.0)]).best == -2.0


def test_many_scores_are_thinned_and_the_best_one_stays():
    widths = [[10 - index // 4**frame % 4 for frame in range(FRAMES)] for index in range(1, 100)]  # no two alike
    false = [
        result(2, [box(LEFT[1], width) for width in own], 0.5 + index / 10_000) for index, own in enumerate(widths)
    ]
    more = [{**entry, "video_id": video} for video in (1, 2, 3) for entry in false]
    for index, entry in enumerate(more):
        entry["score"] += index / 1e6
    videos = [{"id": number, "height": SIZE[0], "width": SIZE[1], "length": FRAMES} for number in (1, 2, 3)]
    found = [track(1, LEFT[1], 0.4999), track(2, LEFT[3], 0.49985), track(1, 29, 0.1)]
    objects = [annotation(i, category, left, FRAMES) for i, (category, left) in enumerate([(1, 0), (2, LEFT[3])], 1)]
    curve = score_curve(truth(*objects) | {"videos": videos}, [*more, *found])
    assert len(curve.thresholds) == MOST_THRESHOLDS
    assert np.all(np.diff(curve.thresholds) > 0)
    assert (curve.thresholds[0], curve.thresholds[-1]) == (0.1, max(entry["score"] for entry in more))
    assert curve.f1.max() == pytest.approx(2 * 2 / (len(more) + 2 + 2))
    assert curve.best == pytest.approx((0.49985 + 0.1) / 2)


def test_a_track_under_several_classes_counts_once_as_its_best():
    """The cat may also be a dog, and the dog, which is also a cat, is less sure: none of the others is false."""
    as_others = [track(2, LEFT[1], 0.3), track(1, LEFT[3], 0.1)]
    curve = score_curve(three_objects(), [as_others[0], track(1, LEFT[1], 0.9), track(2, LEFT[3], 0.2), as_others[1]])
    assert values(curve) == [pytest.approx((0.2, 1, 2 / 3, 4 / 5, 2)), pytest.approx((0.9, 1, 1 / 3, 1 / 2, 1))]
    assert curve.best == pytest.approx(0.1)


def test_another_class_of_a_track_takes_no_object_from_a_track_of_that_class():
    """The cat's track, as a dog, lies where the dog is and has a higher score than the dog's track."""
    results = [track(1, LEFT[3], 0.9), track(2, LEFT[3], 0.8), track(2, LEFT[3], 0.5, other=1)]
    curve = score_curve(three_objects(), results)
    assert values(curve) == [pytest.approx((0.5, 1 / 2, 1 / 3, 2 / 5, 2)), pytest.approx((0.9, 0, 0, 0, 1))]
    assert evaluate(three_objects(), results).class_curves[2].f1.tolist() == [1]


def test_average_precision_takes_every_entry_of_a_track():
    """As a cat it is wrong, as a dog, with a lower score, it is right."""
    results = [track(1, LEFT[3], 0.9), track(2, LEFT[3], 0.1)]
    assert evaluate(three_objects(), results).per_category[2]["AP"] == pytest.approx(1)
    assert score_curve(three_objects(), results).best is None


def test_an_evaluation_has_the_curve_of_its_results():
    results = [track(1, LEFT[1], 0.9), track(1, LEFT[3], 0.8), track(2, LEFT[3], 0.6), track(2, LEFT[2], 0.3)]
    own, alone = evaluate(three_objects(), results).score_curve, score_curve(three_objects(), results)
    assert (values(own), own.best) == (values(alone), alone.best)
