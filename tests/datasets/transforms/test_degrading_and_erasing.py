"""Blur and JPEG noise, which change pictures alone, and hidden rectangles, which masks and boxes lose, too."""

import numpy as np
import pytest
from raw_frames import assert_kept, box_of, frame_of

from mmdet.datasets import GaussianBlur, JPEGNoise, MotionBlur, RandomErasing, VISDataset
from mmdet.datasets.transforms.affine import MEAN_COLOUR
from mmdet.datasets.transforms.degrading import line_kernel
from mmdet.errors import UserError
from mmdet.registry import TRANSFORMS

OBJECTS = {4: (10, 8, 24, 20), 9: ((30, 20, 50, 36), True)}


def pair():
    return [frame_of(OBJECTS), frame_of(OBJECTS, frame_index=1)]


def apply(transform, frames, seed=0):
    return transform(frames, np.random.default_rng(seed))


def test_a_level_line_is_a_row_of_equal_weights():
    assert line_kernel(1, 0.3).tolist() == [[1]]
    kernel = line_kernel(5, 0)
    assert kernel.shape == (5, 5)
    assert kernel[2] == pytest.approx([0.2] * 5, abs=0.08)
    assert kernel.sum() == pytest.approx(1)
    assert not kernel[[0, 1, 3, 4]].any()
    assert np.allclose(line_kernel(5, np.pi / 2), kernel.T)


@pytest.mark.parametrize("angle", [0.2, 1.1, 2.5])
def test_lines_go_through_the_middle_of_their_kernel(angle):
    kernel = line_kernel(7.5, angle)
    assert kernel.shape[0] % 2 == 1
    assert np.allclose(kernel, kernel[::-1, ::-1], atol=0.02)


def test_a_plain_picture_stays_and_an_edge_spreads():
    plain = frame_of({}, image=np.full((40, 60, 3), 77, np.uint8))
    assert (apply(MotionBlur(probability=1.0), [plain])[0].image == 77).all()
    blurred = apply(MotionBlur((9, 9), probability=1.0), pair())[0].image
    assert blurred.std() < 0.6 * pair()[0].image.std()


def test_a_wider_gaussian_blurs_more():
    blurred = [apply(GaussianBlur((sigma, sigma), probability=1.0), pair())[0].image.std() for sigma in (0.1, 1, 3)]
    assert blurred == sorted(blurred, reverse=True)
    assert blurred[0] == pair()[0].image.std()


@pytest.mark.parametrize("kind", [GaussianBlur, MotionBlur, JPEGNoise])
def test_frames_are_changed_alike_or_each_by_its_own_draw(kind):
    frames = pair()
    alike = apply(kind(probability=1.0), frames)
    own = apply(kind(probability=1.0, per_frame=True), frames)
    assert np.array_equal(alike[0].image, alike[1].image)
    assert np.array_equal(alike[0].image, apply(kind(probability=1.0), frames)[0].image)
    assert not np.array_equal(own[0].image, own[1].image)
    assert all(new.masks is old.masks and new.boxes is old.boxes for new, old in zip(own, frames, strict=True))
    assert all(new is old for new, old in zip(apply(kind(probability=0.0), frames), frames, strict=True))
    some = {
        tuple(
            new is old for new, old in zip(apply(kind(probability=0.5, per_frame=True), frames, s), frames, strict=True)
        )
        for s in range(30)
    }
    assert len(some) == 4


def test_jpeg_noise_is_stronger_at_lower_quality():
    smooth = np.linspace(0, 255, 60).repeat(40).reshape(60, 40).T[..., None].repeat(3, axis=2).astype(np.uint8)
    smooth[..., 1:] //= 4  # red on the right
    frame = frame_of({}, image=smooth)
    outs = [apply(JPEGNoise((q, q), probability=1.0), [frame])[0].image for q in (95, 20, 3)]
    errors = [np.abs(out.astype(int) - smooth).mean() for out in outs]
    assert errors == sorted(errors)
    assert errors[0] < 2 < errors[2]
    assert outs[0][:, -5:, 0].mean() > 200 > 100 > outs[0][:, -5:, 2].mean()


def test_what_is_hidden_is_no_longer_in_masks_and_boxes():
    for seed in range(20):
        frames = pair()
        out, other = apply(RandomErasing((0.1, 0.3), probability=1.0), frames, seed)
        over = (out.image != frames[0].image).any(axis=2)
        assert (out.image[over] == MEAN_COLOUR).all()
        assert 0.05 < over.mean() < 0.35
        assert not out.masks[0][over].any()
        assert np.array_equal(out.masks[0][~over], frames[0].masks[0][~over])
        if out.masks[0].sum() >= 16:
            assert box_of(out.masks[0]) == out.boxes[0].tolist()
        else:
            assert out.boxes[0].tolist() == [0, 0, 0, 0]
        assert np.array_equal(out.masks[1], frames[0].masks[1])  # the crowd
        assert np.array_equal(out.boxes[1], frames[0].boxes[1])
        assert np.array_equal(out.image, other.image)
        assert_kept(out, frames[0])
        assert np.array_equal(frames[0].image, pair()[0].image)


def test_objects_that_nothing_hides_keep_their_annotated_boxes():
    frame = frame_of({1: (0, 0, 4, 4)})
    frame.boxes[0] = (0, 0, 5, 4.5)
    outs = [apply(RandomErasing((0.01, 0.01), probability=1.0), [frame], seed)[0] for seed in range(20)]
    beside = [out for out in outs if np.array_equal(out.masks, frame.masks)]
    assert len(beside) > 5
    assert all(out.boxes[0].tolist() == [0, 0, 5, 4.5] for out in beside)


def test_rectangles_are_several_up_to_most_and_per_frame_if_wanted():
    plain = [frame_of({}, image=np.zeros((100, 100, 3), np.uint8), size=(100, 100)) for _ in range(2)]
    shares = [
        (apply(RandomErasing((0.02, 0.02), most=4, probability=1.0), plain, s)[0].image > 0).mean() for s in range(60)
    ]
    assert 0.01 < min(shares) < 0.03
    assert 0.05 < max(shares) < 0.09
    own = apply(RandomErasing(probability=1.0, per_frame=True), plain)
    assert not np.array_equal(own[0].image, own[1].image)


def test_nothing_is_hidden_with_a_probability_of_zero():
    frames = pair()
    assert all(new is old for new, old in zip(apply(RandomErasing(probability=0.0), frames), frames, strict=True))


@pytest.mark.parametrize("transform", [GaussianBlur(), JPEGNoise(), MotionBlur(), RandomErasing()])
def test_all_are_refused_in_testing(two_videos, transform):
    with pytest.raises(UserError, match=f"{type(transform).__name__} draws at random"):
        VISDataset(**two_videos.write(), transforms=[transform], test_mode=True)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "MotionBlur", "length": (9, 3)},
        {"type": "GaussianBlur", "sigma": (9, 3)},
        {"type": "JPEGNoise", "quality": (9, 3)},
        {"type": "RandomErasing", "area": (0.3, 0.1)},
    ],
)
def test_ranges_that_fall_are_refused(part):
    with pytest.raises(
        UserError, match=rf"{part['type']}: (length|sigma|quality|area) is \((9, 3|0.3, 0.1)\), expected"
    ):
        TRANSFORMS.build(part)
