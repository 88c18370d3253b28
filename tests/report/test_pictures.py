import base64
import io

import numpy as np
import pytest
from PIL import Image

from mmdet.report.inputs import ShownVideo
from mmdet.report.pictures import SETTINGS, PictureSettings, choose_settings, encode, read_frames

SIZE = (90, 160)


def make_video(folder, frames=4, name="clip", **more):
    folder = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{name}/{frame}.png" for frame in range(frames)]
    for frame in range(frames):
        noise = np.random.default_rng(frame).integers(0, 256, (*SIZE, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{frame}.png")
    return ShownVideo(video_id=1, name=name, size=SIZE, num_frames=frames, fps=10.0, file_names=tuple(names), **more)


def decoded(address):
    head, data = address.split(",")
    assert head == "data:image/webp;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_a_picture_has_the_longer_side_of_the_settings_and_is_not_enlarged():
    frame = np.full((*SIZE, 3), 100, np.uint8)
    assert decoded(encode(frame, PictureSettings(80, 60))).shape == (45, 80, 3)
    assert decoded(encode(frame, PictureSettings(1280, 60))).shape == (*SIZE, 3)
    assert np.abs(decoded(encode(frame, PictureSettings(80, 60))).astype(int) - 100).max() < 4


def test_the_best_settings_that_keep_the_limit_are_chosen(tmp_path):
    videos = [make_video(tmp_path)]
    best, size = choose_settings(videos, str(tmp_path), 10**9)
    assert best == SETTINGS[0]
    limit = int(0.8 * size)
    settings, smaller = choose_settings(videos, str(tmp_path), limit)
    before = SETTINGS[SETTINGS.index(settings) - 1]
    sizes = {s: sum(len(encode(f, s)) for f in read_frames(videos[0], str(tmp_path))) for s in (settings, before)}
    assert sizes[settings] <= smaller <= limit < 1.2 * sizes[before]


def test_if_nothing_is_small_enough_the_smallest_settings_are_chosen(tmp_path):
    settings, size = choose_settings([make_video(tmp_path)], str(tmp_path), 100)
    assert settings == SETTINGS[-1]
    assert size > 100


def test_frames_that_are_missing_damaged_or_of_another_size_are_told_and_do_not_stop_the_others(tmp_path):
    video = make_video(tmp_path)
    (tmp_path / "clip/0.png").unlink()
    (tmp_path / "clip/1.png").write_bytes(b"no image")
    Image.new("RGB", (10, 10)).save(tmp_path / "clip/2.png")
    frames = list(read_frames(video, str(tmp_path)))
    assert [isinstance(frame, str) for frame in frames] == [True, True, True, False]
    assert "0.png" in frames[0]
    assert "10x10" in frames[2]


def test_without_a_folder_the_frames_come_from_the_source_at_their_times(tmp_path):
    made = make_video(tmp_path, frames=6)
    fields = {"video_id": 1, "name": "clip", "size": SIZE, "num_frames": 2, "fps": 25.0}
    video = ShownVideo(**fields, source=str(tmp_path / "clip"), times_s=(2 / 25, 4 / 25))  # images are 1/25 s apart
    frames, every = list(read_frames(video, None)), list(read_frames(made, str(tmp_path)))
    assert np.array_equal(frames[0], every[2])
    assert np.array_equal(frames[1], every[4])


@pytest.mark.parametrize("source", [None, "/nowhere/video.mp4", "rtsp://127.0.0.1/x"])
def test_without_a_readable_source_no_frame_has_a_picture(source):
    video = ShownVideo(video_id=1, name="x", size=SIZE, num_frames=3, fps=10.0, source=source)
    assert [isinstance(frame, str) for frame in read_frames(video, None)] == [True] * 3


def test_a_source_that_has_become_shorter_has_no_picture_of_its_last_frames(tmp_path):
    make_video(tmp_path, frames=2)
    video = ShownVideo(
        video_id=1,
        name="clip",
        size=SIZE,
        num_frames=3,
        fps=25.0,
        source=str(tmp_path / "clip"),
        times_s=(0, 0.04, 0.08),
    )
    assert [isinstance(frame, str) for frame in read_frames(video, None)] == [False, False, True]
