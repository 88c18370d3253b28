"""Video that codes like a camera's is read with its colours, in order, at its times and upright."""

import av
import numpy as np
import pytest
from av.video.frame import PictureType
from natural_clip import colour_bias, make_clip, peak_signal_to_noise, write_clip

from mmdet.fileio.pictures.video import open_video

LEAST_PSNR_DB = 31  # of this clip at its quality
MOST_BIAS = 2.5  # grey values, of the mean colour inside of an object; FFmpeg's fast conversion takes 1 to 1.5


@pytest.fixture(scope="module")
def clip():
    return make_clip(length=10, seed=3)


@pytest.mark.parametrize(
    ("matrix", "full_range", "tagged"),
    [
        ("bt601", False, False),
        ("bt601", False, True),
        ("bt709", False, True),
        ("bt601", True, True),
        ("bt709", True, True),
    ],
)
def test_colours_are_those_that_were_coded(clip, tmp_path, matrix, full_range, tagged):
    path = write_clip(tmp_path / "a.mp4", clip, matrix=matrix, full_range=full_range, tagged=tagged)
    frames = list(open_video(path))
    assert len(frames) == len(clip.frames)
    for index, frame in enumerate(frames):
        assert colour_bias(frame.image, clip.frames[index], clip.masks[index]) < MOST_BIAS
        assert peak_signal_to_noise(frame.image, clip.frames[index]) > LEAST_PSNR_DB


@pytest.mark.parametrize(("matrix", "full_range"), [("bt709", False), ("bt601", True)])
def test_the_clip_shows_colours_that_are_read_wrongly(clip, tmp_path, matrix, full_range):
    path = write_clip(tmp_path / "a.mp4", clip, matrix=matrix, full_range=full_range, tagged=False)
    frames = list(open_video(path))
    assert all(
        colour_bias(frame.image, clip.frames[index], clip.masks[index]) > 2 * MOST_BIAS
        for index, frame in enumerate(frames)
    )


def test_untold_colours_of_high_definition_are_bt709(tmp_path):
    large = make_clip(size=(720, 160), length=2, seed=1)
    path = write_clip(tmp_path / "a.mp4", large, matrix="bt709", tagged=False)
    frames = zip(open_video(path), large.frames, large.masks, strict=True)
    assert all(colour_bias(frame.image, true, masks) < MOST_BIAS for frame, true, masks in frames)


def test_frames_of_groups_with_b_frames_are_in_order_and_at_their_times(clip, tmp_path):
    path = write_clip(tmp_path / "a.mp4", clip, rate=30)
    with av.open(str(path)) as container:
        assert sum(frame.pict_type == PictureType.B for frame in container.decode(video=0)) >= 4
    video = open_video(path)
    frames = list(video)
    likeness = [[peak_signal_to_noise(frame.image, true) for true in clip.frames] for frame in frames]
    assert np.argmax(likeness, axis=1).tolist() == list(range(10))
    assert [frame.time_s for frame in frames] == pytest.approx([index / 30 for index in range(10)])
    assert (video.promised, video.loss, video.rate) == (10, None, 30)


def test_a_camera_held_upright_gives_upright_frames(clip, tmp_path):
    frames = [frame.image for frame in open_video(write_clip(tmp_path / "a.mp4", clip, turned=90))]
    assert frames[0].shape == (256, 144, 3)
    for image, true in zip(frames, clip.frames, strict=True):
        assert peak_signal_to_noise(image, np.rot90(true, -1)) > LEAST_PSNR_DB


def test_the_same_seed_makes_the_same_clip_and_masks_hide_what_is_behind(clip):
    again = make_clip(length=10, seed=3)
    assert all(np.array_equal(one, other) for one, other in zip(clip.frames, again.frames, strict=True))
    assert (clip.masks.sum(axis=1) <= 1).all()
    assert (clip.masks.sum(axis=(0, 2, 3)) > 0).all()


def test_the_clip_has_the_spectrum_of_natural_pictures(clip):
    """Power falls with the square of the frequency: natural pictures have slopes of -1.5 to -3."""
    grey = clip.frames[0][:144, :144].mean(axis=2)
    power = np.abs(np.fft.fftshift(np.fft.fft2((grey - grey.mean()) * np.outer(np.hanning(144), np.hanning(144))))) ** 2
    ys, xs = np.indices(power.shape) - 72
    radii = np.hypot(ys, xs).round().astype(int)
    means = np.bincount(radii.ravel(), power.ravel()) / np.bincount(radii.ravel())
    slope = np.polyfit(np.log(np.arange(3, 36)), np.log(means[3:36]), 1)[0]
    assert -3 < slope < -1.5
