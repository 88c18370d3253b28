"""From the matches of videos to recall and precision."""

import numpy as np

from mmdet.evaluation.ap.curves import IOU_THRESHOLDS, CategoryRecord, accumulate


def record(scores, matched, num_truths=1):
    """A video's results of category 7, matched alike at all thresholds, in one range."""
    found = np.tile(np.array(matched, bool), (1, len(IOU_THRESHOLDS), 1))
    return CategoryRecord(
        category_id=7,
        scores=np.array(scores, float),
        matched=found,
        ignored=np.zeros_like(found),
        num_truths=np.array([num_truths]),
    )


def curves_of(*records):
    """Precision (R, M) and recall (M,) of the lowest threshold."""
    curves = accumulate(records, [7], 1)
    return curves.precision[0, :, 0, 0], curves.recall[0, 0, 0]


def test_the_first_results_of_every_video_count_up_to_the_limit():
    first = record([0.9, *[0.5] * 9, 0.4], [False, *[False] * 9, True])  # the 11th finds the object
    second = record([0.3, 0.2], [False, True])
    assert curves_of(first, second)[1].tolist() == [0, 0.5, 1]


def test_results_of_equal_scores_count_in_the_order_of_the_videos():
    precision, recall = curves_of(record([0.5], [False]), record([0.5], [True], num_truths=0))
    assert recall.tolist() == [1, 1, 1]
    np.testing.assert_allclose(precision, 0.5)


def test_precision_is_the_best_at_that_recall_or_beyond():
    precision, recall = curves_of(record([0.9, 0.8, 0.7, 0.6], [True, False, True, False], num_truths=4))
    assert recall.tolist() == [0.25, 0.5, 0.5]
    at = precision[:, 1]
    np.testing.assert_allclose(at[:26], 1)  # recalls 0 to 0.25
    np.testing.assert_allclose(at[26:51], 2 / 3)
    assert not at[51:].any()
