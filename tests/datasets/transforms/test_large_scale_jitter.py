"""Clips scaled by much and cut or padded to one size."""

import numpy as np
import pytest
from raw_frames import assert_kept, box_of, frame_of

from mmdet.datasets import LargeScaleJitter, VISDataset, make_train_loader
from mmdet.datasets.transforms.affine import MEAN_COLOUR
from mmdet.errors import UserError
from mmdet.registry import TRANSFORMS

OBJECTS = {4: (10, 8, 24, 20), 9: ((30, 20, 50, 36), True)}


def jitter(frames, factor, size=(40, 60), seed=0, **options):
    return LargeScaleJitter(size, scale=(factor, factor), **options)(frames, np.random.default_rng(seed))


def test_at_a_factor_of_one_a_frame_of_that_size_stays():
    frame = frame_of(OBJECTS)
    (out,) = jitter([frame], 1.0)
    assert np.array_equal(out.image, frame.image)
    assert np.array_equal(out.masks, frame.masks)
    assert np.array_equal(out.boxes, frame.boxes)


def test_smaller_frames_are_padded_at_the_bottom_and_right():
    (out,) = jitter([frame_of(OBJECTS)], 0.5)
    assert out.image.shape == (40, 60, 3)
    assert (out.image[20:] == MEAN_COLOUR).all()
    assert (out.image[:, 30:] == MEAN_COLOUR).all()
    assert not out.masks[:, 20:].any()
    assert out.boxes.tolist() == [[5, 4, 12, 10], [15, 10, 25, 18]]
    assert [box_of(mask) for mask in out.masks] == out.boxes.tolist()
    assert out.scale == 0.5


def test_larger_frames_are_cut_alike_in_all_frames():
    frames = [frame_of(OBJECTS), frame_of(OBJECTS, frame_index=1)]
    corners = set()
    for seed in range(30):
        key, reference = jitter(frames, 2.0, seed=seed)
        assert np.array_equal(key.image, reference.image)
        assert np.array_equal(key.masks, reference.masks)
        shown = key.boxes[:, 2] > key.boxes[:, 0]
        for mask, box in zip(key.masks[shown], key.boxes[shown], strict=True):
            assert box_of(mask) == box.tolist()
        assert not any((mask.sum() >= 16) for mask in key.masks[~shown])
        assert_kept(key, frames[0])
        corners.add(tuple(key.boxes[1]))
    assert len(corners) > 20


def test_objects_inside_keep_their_annotated_boxes():
    frame = frame_of({1: (10, 10, 30, 30)})
    frame.boxes[0] = (9.5, 10, 31, 30)
    assert jitter([frame], 1.0)[0].boxes[0].tolist() == [9.5, 10, 31, 30]


def test_small_objects_do_not_vanish_but_count_as_hidden():
    frames = [frame_of({1: (10, 10, 13, 13)})]
    hidden, kept = (jitter(frames, 0.1, least_pixels=n)[0] for n in (2, 1))
    assert hidden.masks.sum() == kept.masks.sum() == 1
    assert hidden.boxes[0].tolist() == [0, 0, 0, 0]
    assert (kept.boxes[0, 2:] > kept.boxes[0, :2]).all()


def test_frames_of_any_shape_get_the_size_and_keep_their_proportions():
    out = jitter([frame_of({1: (10, 10, 30, 30)}, size=(40, 50))], 1.0, size=(64, 64))[0]
    assert out.image.shape == (64, 64, 3)
    assert out.boxes[0].tolist() == pytest.approx([12.8, 12.8, 38.4, 38.4])
    assert jitter([frame_of({}, size=(30, 90))], 0.3)[0].masks.shape == (0, 40, 60)


def test_factors_fill_their_range():
    transform = LargeScaleJitter((40, 60))
    scales = [transform([frame_of({})], np.random.default_rng(seed))[0].scale for seed in range(200)]
    assert 0.1 <= min(scales) < 0.2
    assert 1.9 < max(scales) <= 2.0


def test_all_clips_of_a_set_have_one_size_and_workers_do_not_matter(two_videos):
    dataset = VISDataset(**two_videos.write(), transforms=[{"type": "LargeScaleJitter", "size": (64, 96)}])
    batches = [list(make_train_loader(dataset, 2, workers, seed=0)) for workers in (0, 2)]
    for one, other in zip(*batches, strict=True):
        assert one.images.shape[-2:] == (64, 96)
        assert (one.images == other.images).all()


def test_it_is_refused_in_testing_and_with_scales_that_fall(two_videos):
    with pytest.raises(UserError, match="LargeScaleJitter draws at random"):
        VISDataset(**two_videos.write(), transforms=[LargeScaleJitter((32, 32))], test_mode=True)
    with pytest.raises(UserError, match=r"LargeScaleJitter: scale is \(2.0, 0.1\)"):
        TRANSFORMS.build({"type": "LargeScaleJitter", "size": (32, 32), "scale": (2.0, 0.1)})
