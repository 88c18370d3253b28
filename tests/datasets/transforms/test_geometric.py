import json

import cv2
import numpy as np
import pytest

from mmdet.datasets.transforms.geometric import RandomFlip, RawFrame, ResizeKeepRatio
from mmdet.errors import UserError
from mmdet.registry import TRANSFORMS

MEAN, STD = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])


def make_frame(size=(36, 54), masks=None, boxes=None):
    rng = np.random.default_rng(1)
    masks = np.zeros((0, *size), np.uint8) if masks is None else masks
    boxes = boxes_of(masks) if boxes is None else np.asarray(boxes, np.float32)
    image = rng.integers(0, 255, (*size, 3), dtype=np.uint8)
    return RawFrame(image=image, boxes=boxes, masks=masks, scale=1.0, original_size=size)


def boxes_of(masks):
    """Half-open boxes around masks."""
    boxes = []
    for mask in masks:
        y, x = np.nonzero(mask)
        boxes.append([x.min(), y.min(), x.max() + 1, y.max() + 1])
    return np.array(boxes, np.float32).reshape(-1, 4)


def two_masks(size=(36, 54)):
    masks = np.zeros((2, *size), np.uint8)
    masks[0, 3:20, 5:30] = 1
    masks[1, 10:36, 40:54] = 1
    return masks


@pytest.fixture
def golden(recorded_numbers):
    folder = recorded_numbers / "parts"
    return np.load(folder / "parts.npz"), json.loads((folder / "parts.json").read_text())["tr_img"]


@pytest.fixture
def golden_output(golden):
    arrays, _ = golden

    def run(flip):
        size = arrays["tr_img_in_bgr"].shape[:2]
        frame = RawFrame(
            image=np.ascontiguousarray(arrays["tr_img_in_bgr"][..., ::-1]),
            boxes=arrays["tr_box_in"],
            masks=arrays[f"tr_mask_in_flip{flip}"],
            scale=1.0,
            original_size=size,
        )
        rng = np.random.default_rng(0)
        (resized,) = ResizeKeepRatio(long_edge=64, short_edge=40)([frame], rng)
        return RandomFlip(probability=float(flip))([resized], rng)[0]

    return run


@pytest.mark.parametrize("flip", [0, 1])
def test_images_equal_the_release_within_one_grey_level(golden, golden_output, flip):
    arrays, facts = golden
    height, width = facts["img_shape"][:2]
    expected = arrays[f"tr_img_out_flip{flip}"].transpose(1, 2, 0) * STD + MEAN
    image = golden_output(flip).image
    assert image.shape == (height, width, 3)
    assert np.abs(image - expected[:height, :width]).max() <= 1.01


@pytest.mark.parametrize("flip", [0, 1])
def test_masks_equal_the_release(golden, golden_output, flip):
    arrays, facts = golden
    height, width = facts["img_shape"][:2]
    assert np.array_equal(golden_output(flip).masks, arrays[f"tr_mask_out_flip{flip}"][:, :height, :width])


def test_boxes_and_scale_equal_the_release(golden, golden_output):
    arrays, facts = golden
    frame = golden_output(0)
    np.testing.assert_allclose(frame.boxes, arrays["tr_box_out_flip0"], rtol=1e-6)
    assert frame.scale == facts["scale_factor"]


@pytest.mark.parametrize(
    ("size", "expected"),
    [((720, 1280), (480, 853)), ((1280, 720), (853, 480)), ((360, 640), (480, 853)), ((480, 1920), (240, 960))],
)
def test_the_test_recipe_keeps_both_edges(size, expected):
    (frame,) = ResizeKeepRatio(long_edge=960, short_edge=480)([make_frame(size)], np.random.default_rng(0))
    assert frame.image.shape[:2] == expected
    assert frame.original_size == size
    assert frame.scale == pytest.approx(min(960 / max(size), 480 / min(size)))


def test_edges_are_drawn_from_inclusive_ranges_independently():
    resize = ResizeKeepRatio(long_edge=(50, 52), short_edge=(20, 21))
    rng = np.random.default_rng(0)
    # a square frame shows the short edge, a long one the long edge
    drawn = {
        tuple(max(frame.image.shape) for frame in resize([make_frame((40, 40)), make_frame((10, 100))], rng))
        for _ in range(200)
    }
    assert drawn == {(short, long) for short in (20, 21) for long in (50, 51, 52)}


def test_the_scale_of_resizes_in_a_row_is_from_original_to_present_pixels():
    (half,) = ResizeKeepRatio(36, 36)([make_frame((72, 72))], np.random.default_rng(0))
    (third,) = ResizeKeepRatio(24, 24)([half], np.random.default_rng(0))
    assert (half.scale, third.scale) == (pytest.approx(1 / 2), pytest.approx(1 / 3))
    assert third.original_size == (72, 72)


def test_all_frames_of_a_clip_get_one_draw():
    resize, flip = ResizeKeepRatio(long_edge=(50, 150), short_edge=(40, 100)), RandomFlip()
    frames = [make_frame(masks=two_masks()), make_frame(masks=two_masks())]
    for seed in range(8):
        rng = np.random.default_rng(seed)
        first, second = flip(resize(frames, rng), rng)
        assert np.array_equal(first.image, second.image)
        assert np.array_equal(first.boxes, second.boxes)
        assert first.scale == second.scale


def test_resized_boxes_fit_resized_masks_but_for_rounding():
    (frame,) = ResizeKeepRatio(long_edge=97, short_edge=70)([make_frame(masks=two_masks())], np.random.default_rng(0))
    assert np.abs(boxes_of(frame.masks) - frame.boxes).max() < 1.5  # one of the masks, half of the image's size


@pytest.mark.parametrize(
    ("size", "edges"),
    [
        ((720, 1280), (960, 480)),
        ((720, 1280), (761, 433)),
        ((36, 54), (97, 70)),
        ((54, 36), (31, 30)),
        ((1, 50), (9, 9)),
    ],
)
@pytest.mark.parametrize("share", [0.0, 0.001, 0.5])
def test_resized_masks_are_those_of_cv2(size, edges, share):
    rng = np.random.default_rng(0)
    masks = (rng.random((3, *size)) < share).astype(np.uint8)
    masks[2, :, size[1] // 3 : size[1] // 2] = masks[2, size[0] // 2] = 1
    frame = make_frame(size, masks, boxes=np.zeros((3, 4)))
    (resized,) = ResizeKeepRatio(*edges)([frame], rng)
    height, width = resized.image.shape[:2]
    expected = [cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST) for mask in masks]
    assert np.array_equal(resized.masks, np.reshape(expected, (3, height, width)))


def test_masks_that_are_views_are_resized_like_copies():
    masks, rng = np.concatenate([two_masks()] * 2), np.random.default_rng(0)
    frames = [make_frame(masks=view, boxes=np.zeros((2, 4))) for view in (masks[::2, :, ::-1], masks[1::2].copy())]
    view, other = ResizeKeepRatio(97, 70)(frames, rng)
    (copy,) = ResizeKeepRatio(97, 70)([make_frame(masks=masks[::2, :, ::-1].copy(), boxes=np.zeros((2, 4)))], rng)
    assert np.array_equal(view.masks, copy.masks)
    assert not np.array_equal(view.masks, other.masks)


def test_resized_boxes_are_clipped_to_the_image():
    frame = make_frame(boxes=[[-4, -1, 60, 40]], masks=two_masks()[:1])
    (resized,) = ResizeKeepRatio(long_edge=108, short_edge=72)([frame], np.random.default_rng(0))
    assert resized.boxes.tolist() == [[0, 0, 108, 72]]


def test_a_frame_without_objects_is_resized_and_flipped():
    rng = np.random.default_rng(0)
    (frame,) = RandomFlip(1.0)(ResizeKeepRatio(long_edge=27, short_edge=18)([make_frame()], rng), rng)
    assert frame.boxes.shape == (0, 4)
    assert frame.masks.shape == (0, 18, 27)


def test_the_box_of_a_flipped_mask_is_the_flipped_box():
    frame = make_frame(masks=two_masks())
    (flipped,) = RandomFlip(probability=1.0)([frame], np.random.default_rng(0))
    assert np.array_equal(flipped.boxes, boxes_of(flipped.masks))
    assert not np.array_equal(flipped.boxes, frame.boxes)


def test_flipping_twice_gives_the_frame_back():
    frame, flip, rng = make_frame(masks=two_masks()), RandomFlip(probability=1.0), np.random.default_rng(0)
    (back,) = flip(flip([frame], rng), rng)
    assert np.array_equal(back.image, frame.image)
    assert np.array_equal(back.boxes, frame.boxes)
    assert np.array_equal(back.masks, frame.masks)


def test_about_half_of_the_clips_are_flipped():
    frame, flip, rng = make_frame(masks=two_masks()), RandomFlip(), np.random.default_rng(0)
    flips = sum(flip([frame], rng)[0] is not frame for _ in range(400))
    assert 160 < flips < 240


def test_the_input_frame_is_left_alone():
    frame = make_frame(masks=two_masks())
    boxes, masks, image = frame.boxes.copy(), frame.masks.copy(), frame.image.copy()
    rng = np.random.default_rng(0)
    RandomFlip(1.0)(ResizeKeepRatio(long_edge=60, short_edge=40)([frame], rng), rng)
    RandomFlip(1.0)([frame], rng)
    assert np.array_equal(frame.boxes, boxes)
    assert np.array_equal(frame.masks, masks)
    assert np.array_equal(frame.image, image)


def test_configs_build_transforms_by_name():
    resize = TRANSFORMS.build({"type": "ResizeKeepRatio", "long_edge": [640, 960], "short_edge": 480})
    assert resize.long_edge == (640, 960)
    assert TRANSFORMS.build({"type": "RandomFlip"}).probability == 0.5


@pytest.mark.parametrize("edge", [0, (5, 4), (-1, 3)])
def test_impossible_edges_are_refused(edge):
    with pytest.raises(UserError, match="long_edge is"):
        ResizeKeepRatio(long_edge=edge, short_edge=4)


def test_impossible_probabilities_are_refused():
    with pytest.raises(UserError, match="probability is 2"):
        RandomFlip(probability=2)


def test_aligned_masks_lie_where_their_boxes_do():
    """The middles of squares in many places, in pixels of the resized image."""
    rng = np.random.default_rng(5)
    offsets = {False: [], True: []}
    for _ in range(60):
        top, left, side = rng.integers(0, 300), rng.integers(0, 500), rng.integers(20, 60)
        mask = np.zeros((1, 360, 640), np.uint8)
        mask[0, top : top + side, left : left + side] = 1
        for aligned in (False, True):
            resize = ResizeKeepRatio((200, 500), (150, 300), aligned_masks=aligned)
            (resized,) = resize([make_frame((360, 640), mask)], np.random.default_rng(int(top)))
            middle = np.argwhere(resized.masks[0]).mean(axis=0) + 0.5
            offsets[aligned].append(middle - [resized.boxes[0, 1::2].mean(), resized.boxes[0, ::2].mean()])
    assert np.abs(np.mean(offsets[True], axis=0)).max() < 0.06
    assert np.mean(offsets[False], axis=0).min() > 0.4


@pytest.mark.parametrize("place", [(0, 0), (17, 30), (359, 639), (100, 0)])
def test_aligned_masks_do_not_vanish(place):
    mask = np.zeros((1, 360, 640), np.uint8)
    mask[0][place] = 1
    (resized,) = ResizeKeepRatio(64, 36, aligned_masks=True)([make_frame((360, 640), mask)], np.random.default_rng(0))
    assert np.argwhere(resized.masks[0]).tolist() == [[place[0] // 10, place[1] // 10]]


def test_an_empty_mask_stays_empty_when_aligned():
    mask = np.zeros((1, 36, 64), np.uint8)
    frame = make_frame((36, 64), mask, boxes=[[0, 0, 5, 5]])
    (resized,) = ResizeKeepRatio(32, 18, aligned_masks=True)([frame], np.random.default_rng(0))
    assert not resized.masks.any()
