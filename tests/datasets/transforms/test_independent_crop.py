from dataclasses import replace

import numpy as np
import pytest

from mmdet.datasets import IndependentCrop, ItemKey, RawFrame, VISDataset
from mmdet.errors import UserError
from mmdet.registry import TRANSFORMS

SIZE = (40, 60)


def make_frame(*rectangles, size=SIZE, is_crowd=None):
    """Noise with a rectangle (x1, y1, x2, y2) an object."""
    masks = np.zeros((len(rectangles), *size), np.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, rectangles, strict=True):
        mask[y1:y2, x1:x2] = 1
    image = np.random.default_rng(1).integers(0, 255, (*size, 3), dtype=np.uint8)
    boxes = np.array(rectangles, np.float32).reshape(-1, 4)
    return RawFrame(image=image, boxes=boxes, masks=masks, scale=1.0, original_size=size, is_crowd=is_crowd)


def crops(frames, fraction=(0.5, 1.0), count=100):
    for seed in range(count):
        yield IndependentCrop(fraction)(list(frames), np.random.default_rng(seed))


def box_of(mask):
    y, x = np.nonzero(mask)
    return [x.min(), y.min(), x.max() + 1, y.max() + 1]


def test_copies_of_a_frame_become_different_and_share_an_object():
    frame = make_frame((2, 3, 12, 13), (40, 20, 58, 38))
    for key, reference in crops([frame, frame], (0.3, 0.6)):
        assert not np.array_equal(key.image, reference.image)
        shared = key.masks.any(axis=(1, 2)) & reference.masks.any(axis=(1, 2))
        assert shared.any()


def test_every_row_is_kept_and_frames_keep_their_size():
    frame = make_frame((2, 3, 12, 13), (40, 20, 58, 38))
    for (cropped,) in crops([frame], 0.4):
        assert cropped.image.shape == frame.image.shape
        assert cropped.masks.shape == frame.masks.shape
        assert cropped.boxes.shape == frame.boxes.shape
        assert cropped.boxes.dtype == np.float32
        assert cropped.original_size == SIZE


def test_boxes_are_those_of_the_masks_and_without_area_where_nothing_is_left():
    frame = make_frame((2, 3, 12, 13), (40, 20, 58, 38), (10, 0, 50, 40))
    gone = 0
    for (cropped,) in crops([frame], (0.3, 1.0)):
        for box, mask in zip(cropped.boxes, cropped.masks, strict=True):
            if mask.any():
                assert np.abs(box - box_of(mask)).max() < 1  # masks are whole pixels, boxes are not
            else:
                gone += 1
                assert box.tolist() == [0, 0, 0, 0]
    assert gone > 10


def test_boxes_stay_within_the_frame():
    for (cropped,) in crops([make_frame((0, 0, 60, 40))], (0.2, 1.0)):
        assert (cropped.boxes >= 0).all()
        assert (cropped.boxes <= [60, 40, 60, 40]).all()


def test_a_box_inside_the_window_keeps_its_fractions_of_pixels():
    frame = make_frame((20, 15, 30, 25))
    frame = replace(frame, boxes=np.array([[20.25, 15.5, 29.75, 24.5]], np.float32))
    (same,) = IndependentCrop(1.0)([frame], np.random.default_rng(0))
    assert same.boxes.tolist() == frame.boxes.tolist()
    assert np.array_equal(same.image, frame.image)
    assert same.scale == 1.0


def test_the_scale_is_that_of_the_window():
    (cropped,) = IndependentCrop(0.5)([make_frame((20, 15, 30, 25))], np.random.default_rng(0))
    assert cropped.scale == 2.0
    assert cropped.masks[0].sum() <= 4 * 100


def test_image_and_masks_are_cut_alike():
    frame = make_frame((10, 5, 40, 30))
    frame = replace(frame, image=np.repeat(frame.masks[0][..., None] * np.uint8(200), 3, axis=2))
    for (cropped,) in crops([frame], 0.5, count=20):
        agree = (cropped.image[..., 0] > 100) == (cropped.masks[0] > 0)
        assert agree.mean() > 0.95  # but for interpolated edges


def test_a_single_pixel_never_leaves_the_picture():
    frame = make_frame((59, 0, 60, 1))
    for (cropped,) in crops([frame], (0.1, 0.5)):
        assert cropped.masks.any()
        assert (cropped.boxes[0, 2:] > cropped.boxes[0, :2]).all()


def test_a_window_is_never_spent_on_a_crowd_alone():
    frame = make_frame((0, 0, 20, 40), (55, 35, 60, 40), is_crowd=np.array([True, False]))
    for (cropped,) in crops([frame], (0.2, 0.4)):
        assert cropped.masks[1].any()


def test_frames_without_objects_are_cropped_anywhere():
    for (cropped,) in crops([make_frame()], 0.5, count=5):
        assert cropped.boxes.shape == (0, 4)
        assert cropped.masks.shape == (0, *SIZE)


def test_one_state_of_the_generator_gives_one_crop():
    frame = make_frame((2, 3, 12, 13))
    first, second = (IndependentCrop()([frame, frame], np.random.default_rng(7)) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.image, b.image)
        assert np.array_equal(a.boxes, b.boxes)


def test_the_input_frame_is_left_alone():
    frame = make_frame((2, 3, 12, 13))
    image, boxes, masks = frame.image.copy(), frame.boxes.copy(), frame.masks.copy()
    list(crops([frame], 0.5, count=5))
    assert np.array_equal(frame.image, image)
    assert np.array_equal(frame.boxes, boxes)
    assert np.array_equal(frame.masks, masks)


def test_objects_cropped_away_are_left_out_of_the_truth_with_their_ids(tiny_set):
    video = tiny_set.add_video(1, frames=1)
    tiny_set.add_track(10, video, x=0, y=0, side=6)
    tiny_set.add_track(20, video, x=40, y=28, side=8)
    dataset = VISDataset(**tiny_set.write(), transforms=[IndependentCrop(0.4)])
    seen = set()
    for epoch in range(40):
        sample = dataset[ItemKey(epoch, 0)]
        assert sample.truths[0].masks.flatten(1).any(dim=1).all()
        for truth in sample.truths:
            assert (truth.boxes[:, 2:] > truth.boxes[:, :2]).all()
        assert sample.reference_jitter.shape == (len(sample.truths[1]), 4)
        assert set(sample.truths[0].instance_ids.tolist()) & set(sample.truths[1].instance_ids.tolist())
        seen.add(tuple(sample.truths[0].instance_ids.tolist()))
    assert seen == {(10,), (20,)}


@pytest.mark.parametrize("fraction", [0, 1.5, (0.5, 0.4), (-1, 1)])
def test_impossible_fractions_are_refused(fraction):
    with pytest.raises(UserError, match="fraction is"):
        IndependentCrop(fraction)


def test_configs_build_it_by_name():
    assert TRANSFORMS.build({"type": "IndependentCrop", "fraction": [0.3, 1]}).fraction == (0.3, 1)
