import numpy as np

from mmdet.evaluation.track_iou import MaskTrack, track_ious
from mmdet.ops.masks import encode_masks, mask_areas


def track(*masks):
    rles = tuple(None if mask is None else encode_masks(mask[None])[0] for mask in masks)
    areas = np.array([0 if rle is None else mask_areas([rle])[0] for rle in rles], dtype=np.int64)
    return MaskTrack(rles=rles, areas=areas)


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


def check(lengths, shapes):
    rng = np.random.default_rng(3)
    results = [random_masks(rng, length, shapes) for length in lengths]
    truths = [random_masks(rng, length, shapes) for length in lengths[::-1]]
    ious, differ = track_ious([track(*masks) for masks in results], [track(*masks) for masks in truths])
    assert ious.tolist() == [[slow_iou(a, b) for b in truths] for a in results]
    return differ


def test_track_iou_equals_counting_pixels():
    assert not check([5, 5, 5], [(9, 7)])


def test_tracks_of_unequal_length_are_compared_as_far_as_both_go():
    assert not check([6, 3, 1, 0], [(9, 7)])


def test_frames_of_unequal_size_add_nothing():
    assert check([6, 6, 4], [(9, 7), (7, 9), (4, 4)])


def test_tracks_without_masks_have_iou_zero():
    ious, _ = track_ious([track(None, None)], [track(None, None)])
    assert ious.tolist() == [[0.0]]


def test_no_truths_and_no_results_give_empty_tables():
    assert track_ious([], [track(None)])[0].shape == (0, 1)
    assert track_ious([track(None)], [])[0].shape == (1, 0)


def test_mean_area_leaves_out_frames_that_show_nothing():
    full, empty = np.ones((4, 4), bool), np.zeros((4, 4), bool)
    assert track(full, None, empty, full).mean_area == 16
    assert track(None, empty).mean_area == 0
