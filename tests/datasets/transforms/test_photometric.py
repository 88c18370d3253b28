"""Colours of a clip: changed alike in all its frames, and nothing but colours."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mmdet.config import load_config
from mmdet.datasets import ColorJitter, RawFrame
from mmdet.errors import UserError

SIZE = (12, 16)
CONFIG = Path(__file__).parents[3] / "configs/baselines/cocopaste_plus_lite0.py"


def make_frame(seed=0, image=None):
    rng = np.random.default_rng(seed)
    return RawFrame(
        image=rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8) if image is None else image,
        boxes=np.array([[1, 2, 8, 9]], np.float32),
        masks=rng.integers(0, 2, (1, *SIZE), dtype=np.uint8),
        scale=1.0,
        original_size=SIZE,
    )


def jitter(frames, seed=0, **settings):
    nothing = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0, "grey": 0.0}
    return ColorJitter(**{**nothing, "probability": 1.0, **settings})(frames, np.random.default_rng(seed))


def hsv(frame):
    return cv2.cvtColor(frame.image, cv2.COLOR_RGB2HSV).astype(int)


def test_equal_frames_stay_equal_and_other_clips_change_otherwise():
    frames = [make_frame(), make_frame()]
    changed = [ColorJitter(probability=1.0)(frames, np.random.default_rng(seed)) for seed in range(5)]
    assert all(np.array_equal(first.image, second.image) for first, second in changed)
    assert len({first.image.tobytes() for first, _ in changed}) == 5


def test_boxes_and_masks_are_untouched_and_the_frame_given_too():
    frame = make_frame()
    before = frame.image.copy()
    (changed,) = jitter([frame], brightness=0.5)
    assert changed.boxes is frame.boxes
    assert changed.masks is frame.masks
    assert np.array_equal(frame.image, before)
    assert not np.array_equal(changed.image, before)
    assert (changed.image.shape, changed.image.dtype) == (before.shape, np.uint8)


def test_with_a_probability_of_zero_nothing_changes():
    frames = [make_frame()]
    for seed in range(20):
        assert ColorJitter(probability=0.0)(frames, np.random.default_rng(seed)) is frames


def test_without_any_range_colours_stay_but_for_rounding():
    (changed,) = jitter([make_frame()])
    assert np.abs(changed.image.astype(int) - make_frame().image).max() <= 5  # half a step of 8-bit hue


def test_brightness_is_added_and_cut_to_the_range():
    grey = np.arange(192, dtype=np.uint8).reshape(*SIZE)[..., None].repeat(3, axis=2)
    differences = set()
    for seed in range(10):
        (changed,) = jitter([make_frame(image=grey)], seed, brightness=1.0)
        offset = int(changed.image[5, 5, 0]) - int(grey[5, 5, 0])
        if 0 < changed.image[5, 5, 0] < 255:
            assert np.array_equal(changed.image, np.clip(grey.astype(int) + offset, 0, 255))
            differences.add(offset)
    assert min(differences) < 0 < max(differences)


def test_contrast_spreads_about_the_middle():
    grey = np.full((*SIZE, 3), 127, np.uint8)
    grey[0], grey[1] = 100, 155
    for seed in range(5):
        (changed,) = jitter([make_frame(image=grey)], seed, contrast=1.0)
        low, middle, high = (int(changed.image[row, 0, 0]) for row in (0, 5, 1))
        assert abs(middle - 127) <= 1
        assert abs((high - 127.5) + (low - 127.5)) <= 2


def test_saturation_of_more_than_one_may_take_all_colour_but_never_turns_it():
    lost = False
    for seed in range(20):
        (changed,) = jitter([make_frame()], seed, saturation=3.0)
        coloured = (hsv(changed)[..., 1] > 60) & (hsv(changed)[..., 2] > 60) & (hsv(make_frame())[..., 1] > 60)
        turn = np.abs(hsv(changed)[..., 0] - hsv(make_frame())[..., 0])[coloured]
        assert (np.minimum(turn, 180 - turn) <= 4).all()
        lost |= not hsv(changed)[..., 1].any()
    assert lost


def test_hue_turns_around_the_circle():
    red = np.zeros((*SIZE, 3), np.uint8)
    red[..., 0] = 200
    hues = set()
    for seed in range(20):
        (changed,) = jitter([make_frame(image=red)], seed, hue=0.1)
        hue = int(hsv(changed)[0, 0, 0])
        assert min(hue, 180 - hue) <= 18
        hues.add(hue > 90)
        assert changed.image.max() == 200
    assert hues == {True, False}


def test_a_clip_may_lose_its_colours():
    (changed,) = jitter([make_frame()], grey=1.0)
    assert np.array_equal(changed.image[..., 0], changed.image[..., 1])
    assert np.array_equal(changed.image[..., 0], changed.image[..., 2])
    assert changed.image.std() > 10


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("seed", range(5))
def test_black_and_white_stay_in_range(value, seed):
    image = np.full((*SIZE, 3), value, np.uint8)
    (changed,) = jitter([make_frame(image=image)], seed, brightness=0.3, contrast=0.5, saturation=2.0, hue=0.5)
    assert len(np.unique(changed.image)) == 1  # no pixel went around from 255 to 0
    assert abs(int(changed.image[0, 0, 0]) - value) < 200


def test_a_mirrored_view_of_an_image_is_taken():
    (changed,) = jitter([make_frame(image=make_frame().image[:, ::-1])], brightness=0.2)
    (other,) = jitter([make_frame()], brightness=0.2)
    assert np.array_equal(changed.image[:, ::-1], other.image)


@pytest.mark.parametrize("setting", [{"grey": 1.5}, {"brightness": -0.1}, {"saturation": -1}, {"hue": 2}])
def test_settings_outside_their_ranges_are_refused(tmp_path, setting):
    config = tmp_path / "config.py"
    dataset = {"type": "VISDataset", "ann_file": "a", "img_prefix": "b"}
    dataset["transforms"] = [{"type": "ColorJitter", **setting}]
    train = {"datasets": [dataset]}
    config.write_text(f"_base_ = [{str(CONFIG)!r}]\ndata = dict(train={train!r})\n")
    with pytest.raises(UserError, match=rf"transforms.0.{next(iter(setting))} is"):
        load_config(config)
