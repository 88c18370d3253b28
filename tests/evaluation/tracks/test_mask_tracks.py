import numpy as np
import pytest

from mmdet.evaluation.tracks.mask_tracks import mask_ious, read_mask_tracks
from mmdet.ops.masks.segmentations import encode_masks


@pytest.fixture(params=[True, False], ids=["compiled", "numpy"])
def ious_of(request):
    """IoUs of results and truths, lists of masks (h, w) or None a frame."""

    def compute(results, truths):
        coded = [[None if m is None else encode_masks(m[None])[0] for m in masks] for masks in (*results, *truths)]
        tracks = read_mask_tracks(coded, (9, 7), compiled=request.param)
        return mask_ious(tracks[: len(results)], tracks[len(results) :])

    return compute


def slow_iou(first, second):
    intersection = union = 0
    for a, b in zip(first, second, strict=False):
        if a is not None and b is not None and a.shape != b.shape:
            continue
        shape = next((mask.shape for mask in (a, b) if mask is not None), (1, 1))
        a, b = (np.zeros(shape, bool) if mask is None else mask for mask in (a, b))
        intersection += np.count_nonzero(a & b)
        union += np.count_nonzero(a | b)
    return intersection / union if union else 0.0


def random_masks(rng, length, shapes):
    masks = []
    for _ in range(length):
        shape = shapes[rng.integers(len(shapes))]
        masks.append(None if rng.random() < 0.25 else rng.random(shape) < rng.random())
    return masks


def check(ious_of, lengths, shapes):
    rng = np.random.default_rng(3)
    results = [random_masks(rng, length, shapes) for length in lengths]
    truths = [random_masks(rng, length, shapes) for length in lengths[::-1]]
    ious, differ = ious_of(results, truths)
    assert ious.tolist() == [[slow_iou(a, b) for b in truths] for a in results]
    return differ


def test_track_iou_equals_counting_pixels(ious_of):
    assert not check(ious_of, [5, 5, 5], [(9, 7)])


def test_tracks_of_unequal_length_are_compared_as_far_as_both_go(ious_of):
    assert not check(ious_of, [6, 3, 1, 0], [(9, 7)])


def test_frames_of_unequal_size_add_nothing(ious_of):
    assert check(ious_of, [6, 6, 4], [(9, 7), (7, 9), (4, 4)])


def test_tracks_without_masks_have_iou_zero(ious_of):
    assert ious_of([[None, None]], [[None, None]])[0].tolist() == [[0.0]]


def test_no_truths_and_no_results_give_empty_tables(ious_of):
    assert ious_of([], [[None]])[0].shape == (0, 1)
    assert ious_of([[None]], [])[0].shape == (1, 0)


def test_mean_area_leaves_out_frames_that_show_nothing():
    full, empty = (encode_masks(np.full((1, 4, 4), value))[0] for value in (True, False))
    shown, hidden = read_mask_tracks([[full, None, empty, full], [None, empty]], (4, 4))
    assert shown.mean_area == 16
    assert hidden.mean_area == 0
