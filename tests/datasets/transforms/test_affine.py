"""Frames that turn, shift and scale: picture, masks and boxes together, and stills that become pairs."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from raw_frames import assert_kept, box_of, coloured, frame_of

from mmdet.datasets import ItemKey, RandomAffine, StillPairs, VISDataset, make_train_loader
from mmdet.datasets.transforms.affine import MEAN_COLOUR, Motion, moved_frame
from mmdet.errors import UserError
from mmdet.registry import TRANSFORMS

STILL = {"rotation": 0.0, "shift": 0.0, "scale": (1.0, 1.0)}
OBJECTS = {4: (10, 8, 24, 20), 9: ((30, 20, 50, 36), True)}


def moved(frame, rotation=0.0, shear=0.0, scale=1.0, shift=(0.0, 0.0), least_pixels=1):
    motion = Motion(rotation=rotation, shear=shear, scale=scale, shift=np.array(shift))
    return moved_frame(frame, motion.matrix(frame.image.shape[:2]), scale, MEAN_COLOUR, least_pixels)


def test_a_shift_by_whole_pixels_is_exact():
    frame = frame_of(OBJECTS)
    out = moved(frame, shift=(6 / 60, -4 / 40))
    assert np.array_equal(out.image[:36, 6:], frame.image[4:, :-6])
    assert np.array_equal(out.masks[:, :36, 6:], frame.masks[:, 4:, :-6])
    assert (out.image[:, :6] == MEAN_COLOUR).all()
    assert (out.image[36:] == MEAN_COLOUR).all()
    assert not out.masks[:, :, :6].any()
    assert out.boxes.tolist() == [[16, 4, 30, 16], [36, 16, 56, 32]]
    assert_kept(out, frame)


def test_half_a_turn_is_exact():
    frame = frame_of(OBJECTS)
    out = moved(frame, rotation=180)
    assert np.array_equal(out.image, frame.image[::-1, ::-1])
    assert np.array_equal(out.masks, frame.masks[:, ::-1, ::-1])
    assert out.boxes[0].tolist() == [60 - 24, 40 - 20, 60 - 10, 40 - 8]


def test_a_positive_rotation_is_clockwise():
    frame = frame_of({1: (16, 2, 24, 8)}, size=(40, 40))  # above the middle
    out = moved(frame, rotation=90)
    assert np.array_equal(out.image, np.rot90(frame.image, -1))
    assert np.array_equal(out.masks[0], np.rot90(frame.masks[0], -1))
    assert out.boxes.tolist() == [[32, 16, 38, 24]]  # to the right of it


def test_scaling_is_about_the_middle():
    out = moved(frame_of({1: (25, 15, 35, 25)}), scale=2.0)
    assert out.boxes.tolist() == [[20, 10, 40, 30]]
    assert out.scale == 2.0


def test_a_slant_moves_what_is_below_the_middle_to_the_right():
    out = moved(frame_of({1: (29, 30, 31, 40), 2: (29, 0, 31, 10)}), shear=45)
    assert out.boxes[0, 0] > 29 > out.boxes[1, 0]


@pytest.mark.parametrize("motion", [{"rotation": 13}, {"scale": 0.7, "rotation": -8}, {"shear": 20, "scale": 1.3}])
def test_masks_and_boxes_follow_the_picture(motion):
    out = moved(coloured(frame_of({1: (20, 10, 40, 30)})), **motion)
    drawn = (out.image[..., 0] > 127) & (np.abs(out.image.astype(int) - MEAN_COLOUR).sum(axis=2) > 8)
    other = np.logical_xor(drawn, out.masks[0])
    assert other.sum() <= 0.06 * out.masks[0].sum()  # pixels of the border
    assert out.boxes[0].tolist() == box_of(out.masks[0])


def test_objects_that_leave_the_frame_have_no_area_and_are_no_truth():
    out = moved(frame_of({1: (0, 10, 12, 20), 2: (30, 10, 50, 20)}), shift=(-0.18, 0), least_pixels=16)
    assert out.boxes.tolist() == [[0, 0, 0, 0], [19, 10, 39, 20]]  # 10.8 px: 12 pixels of the first are left
    assert moved(frame_of({1: (0, 10, 12, 20)}), shift=(-0.18, 0)).boxes[0, 2] == 1


def test_an_empty_frame_moves_alone():
    out = moved(frame_of({}), rotation=30)
    assert out.boxes.shape == (0, 4)
    assert out.masks.shape == (0, 40, 60)


def test_all_frames_of_a_clip_move_alike_and_with_a_difference_only_nearly():
    frames = [frame_of(OBJECTS), frame_of(OBJECTS, frame_index=1)]
    same = RandomAffine(probability=1.0)(frames, np.random.default_rng(0))
    assert np.array_equal(same[0].image, same[1].image)
    assert np.array_equal(same[0].masks, same[1].masks)
    nearly = RandomAffine(probability=1.0, difference=0.1)(frames, np.random.default_rng(0))
    assert np.array_equal(nearly[0].image, same[0].image)
    assert not np.array_equal(nearly[1].masks, same[0].masks)
    assert np.abs(nearly[1].boxes - nearly[0].boxes).max() < 5


def test_random_motions_reach_their_limits_and_not_beyond():
    mark = frame_of({1: (29, 19, 31, 21)})
    transform = RandomAffine(**{**STILL, "shift": 0.25}, probability=1.0, least_pixels=1)
    corners = np.array([transform([mark], np.random.default_rng(seed))[0].boxes[0, :2] for seed in range(200)])
    reach = np.abs(corners - [29, 19]).max(axis=0)
    assert (reach <= [15.5, 10.5]).all()
    assert (reach >= [13, 8]).all()
    sizes = RandomAffine(**{**STILL, "scale": (0.5, 2.0)}, probability=1.0, least_pixels=1)
    scales = [sizes([mark], np.random.default_rng(seed))[0].scale for seed in range(400)]
    assert 0.5 <= min(scales) < 0.55
    assert 1.8 < max(scales) <= 2.0
    assert 0.4 < np.mean(np.array(scales) < 1) < 0.6  # half as often as twice


def test_a_probability_of_zero_changes_nothing():
    frames = [frame_of(OBJECTS)]
    assert RandomAffine(probability=0.0)(frames, np.random.default_rng(0)) is frames


def test_a_still_becomes_a_pair_with_the_same_objects():
    frames = [frame_of(OBJECTS, frame_index=3), frame_of(OBJECTS, frame_index=3)]
    key, reference = StillPairs()(frames, np.random.default_rng(1))
    assert key is frames[0]
    assert not np.array_equal(reference.image, key.image)
    assert_kept(reference, key)
    assert [box_of(mask) for mask in reference.masks] == reference.boxes.tolist()


def test_every_repeated_frame_of_a_longer_clip_moves_on_its_own():
    frames = [frame_of(OBJECTS, frame_index=index) for index in (0, 1, 0, 1, 0)]
    out = StillPairs()(frames, np.random.default_rng(1))
    assert [new is old for new, old in zip(out, frames, strict=True)] == [True, True, False, False, False]
    assert len({frame.image.tobytes() for frame in out[2:]}) == 3


def test_frames_of_a_video_stay_as_they_are_and_draw_nothing():
    frames = [frame_of(OBJECTS, frame_index=0), frame_of(OBJECTS, frame_index=4)]
    rng = np.random.default_rng(1)
    assert all(new is old for new, old in zip(StillPairs()(frames, rng), frames, strict=True))
    assert rng.random() == np.random.default_rng(1).random()


@pytest.fixture
def stills(tiny_set):
    """Two images with an object and a crowd, as videos of one frame, and a video of two frames."""
    for video_id in (1, 2):
        video = tiny_set.add_video(video_id, frames=1)
        tiny_set.add_track(10 * video_id, video, x=10, y=10, side=14)
        tiny_set.add_track(10 * video_id + 1, video, crowd=1, x=28, y=4)
    tiny_set.add_track(30, tiny_set.add_video(3, frames=2))
    return tiny_set.write()


def test_stills_of_a_set_are_pairs_in_motion_for_any_number_of_workers(stills):
    dataset = VISDataset(**stills, transforms=[{"type": "StillPairs"}], reference_masks=True)
    batches = [list(make_train_loader(dataset, 2, workers, seed=0)) for workers in (0, 2)]
    for one, other in zip(*batches, strict=True):
        assert (one.images == other.images).all()
        assert (one.truth.frames.half_masks == other.truth.frames.half_masks).all()
    sample, again = dataset[ItemKey(0, 0)], dataset[ItemKey(0, 0)]
    assert (sample.images == again.images).all()
    assert not (sample.images[0] == sample.images[1]).all()
    assert [truth.instance_ids.tolist() for truth in sample.truths] == [[10, 11]] * 2
    assert [truth.is_crowd.tolist() for truth in sample.truths] == [[False, True]] * 2
    assert not (dataset[ItemKey(1, 0)].images[1] == sample.images[1]).all()
    video = VISDataset(**stills, transforms=[], reference_masks=True)[ItemKey(0, 2)]
    assert (dataset[ItemKey(0, 2)].images == video.images).all()


def test_a_moved_still_has_tight_boxes_also_where_masks_of_references_are_not_learnt(stills):
    sample = VISDataset(**stills, transforms=[{"type": "StillPairs", "rotation": 0.0, "scale": (1.0, 1.0)}])[
        ItemKey(0, 0)
    ]
    sides = sample.truths[1].boxes[:, 2:] - sample.truths[1].boxes[:, :2]
    assert sides[0].tolist() == [14, 14]
    assert sample.truths[1].masks.shape == (2, 0, 0)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "StillPairs"},
        {"type": "RandomAffine"},
        {"type": "ColorJitter"},
        {"type": "ResizeKeepRatio", "long_edge": (32, 64), "short_edge": 32},
    ],
)
def test_what_draws_is_refused_in_testing(stills, part):
    with pytest.raises(UserError, match=f"{part['type']} draws at random: leave it out of the transforms for testing"):
        VISDataset(**stills, transforms=[part], test_mode=True)


@pytest.mark.parametrize("name", ["StillPairs", "RandomAffine"])
def test_scales_that_fall_are_refused(name):
    with pytest.raises(UserError, match=rf"{name}: scale is \(2.0, 1.0\), expected \(low, high\)"):
        TRANSFORMS.build({"type": name, "scale": (2.0, 1.0)})


def test_masks_of_any_layout_move(tiny_set):
    frame = frame_of(OBJECTS)
    turned = replace(frame, masks=np.asfortranarray(frame.masks))
    assert np.array_equal(moved(turned, rotation=20).masks, moved(frame, rotation=20).masks)
    assert cv2.countNonZero(moved(turned, rotation=20).masks[0]) > 0
