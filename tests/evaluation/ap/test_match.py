import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdet.evaluation.ap.curves import IOU_THRESHOLDS
from mmdet.evaluation.ap.match import match

LEVELS = [0.0, 0.3, 0.5, 0.6, 0.75, 0.8999999999999999, 0.9, 0.95, 1.0]  # few, so that many are equal


def slow_match(ious, truth_ignored, is_crowd, counts, threshold):
    """One threshold and range, object by object: ignored truths last, of equal IoUs the last truth."""
    num_results, num_truths = ious.shape
    order = sorted(range(num_truths), key=lambda g: truth_ignored[g])
    taken, matched, ignored = set(), [False] * num_results, [False] * num_results
    for d in range(num_results):
        best, best_iou = None, threshold
        for g in order:
            if g in taken and not is_crowd[g]:
                continue
            if best is not None and not truth_ignored[best] and truth_ignored[g]:
                break
            if ious[d, g] >= best_iou:
                best, best_iou = g, ious[d, g]
        if best is not None:
            taken.add(best)
            matched[d], ignored[d] = counts[best], truth_ignored[best]
    return matched, ignored


@settings(max_examples=60, deadline=None, database=None)
@given(st.data(), st.integers(0, 6), st.integers(0, 5))
def test_matching_equals_the_slow_rule(data, num_results, num_truths):
    def flags(count):
        return np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)), dtype=bool)

    size = num_results * num_truths
    ious = np.array(data.draw(st.lists(st.sampled_from(LEVELS), min_size=size, max_size=size)))
    ious = ious.reshape(num_results, num_truths).astype(float)
    is_crowd, counts = flags(num_truths), flags(num_truths)
    truth_ignored = np.stack([flags(num_truths) | is_crowd for _ in range(2)])
    outside = np.stack([flags(num_results) for _ in range(2)])
    matched, ignored = match(ious, truth_ignored, is_crowd, outside, counts)
    for a in range(2):
        for t, threshold in enumerate(IOU_THRESHOLDS):
            slow_matched, slow_ignored = slow_match(ious, truth_ignored[a], is_crowd, counts, threshold)
            assert matched[a, t].tolist() == slow_matched
            expected = [i or (not m and o) for i, m, o in zip(slow_ignored, slow_matched, outside[a], strict=True)]
            assert ignored[a, t].tolist() == expected
