"""Cameras by number or device. FFmpeg's and OpenCV's devices are replaced, because machines that test have none."""

import av
import cv2
import numpy as np
import pytest

from mmdet.errors import UserError
from mmdet.fileio.sources.finding import find_sources
from mmdet.fileio.sources.senders import connections
from mmdet.fileio.sources.senders.waiting import Patience


@pytest.mark.parametrize("text", ["0", "/dev/video0"])
def test_a_number_or_a_device_is_a_camera(tree, text):
    tree()
    (source,) = find_sources([text])
    assert (source.text, source.name, source.is_live, source.path) == ("camera 0", "camera0", True, None)


def test_a_folder_named_like_a_camera_is_a_folder(tree, still):
    tree()
    still("0/00.png")
    assert [str(source.path) for source in find_sources(["0"])] == ["0"]


def test_a_camera_that_is_missing_is_told():
    with pytest.raises(UserError, match=r"camera 77: /dev/video77 does not exist; (this machine has no|there is)"):
        find_sources(["77"])[0].open()


def test_a_camera_is_read_by_ffmpeg_until_its_reader_leaves(monkeypatch, tmp_path):
    real = av.open
    monkeypatch.setattr(connections, "_DEVICES", tmp_path)
    (tmp_path / "video0").touch()
    pattern = "testsrc=size=32x24:rate=30"
    monkeypatch.setattr(av, "open", lambda name, format, timeout: real(pattern, format="lavfi", timeout=timeout))
    frames = find_sources(["0"])[0].open()
    assert frames.rate == 30
    reading = iter(frames)
    assert [next(reading).image.shape for _ in range(3)] == [(24, 32, 3)] * 3
    reading.close()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(13, "Permission denied"), "may not be read; add the user to the group video"),
        (OSError(16, "Device or resource busy"), "cannot be opened: Device or resource busy"),
    ],
)
def test_a_camera_that_cannot_be_opened_says_why(monkeypatch, tmp_path, error, message):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(connections, "_DEVICES", tmp_path)
    (tmp_path / "video0").touch()
    monkeypatch.setattr(av, "open", refuse)
    with pytest.raises(UserError, match=message):
        find_sources(["0"])[0].open()


class _Capture:
    """OpenCV's camera: 5 blue pictures, then none."""

    def __init__(self, index):
        self.left = 5 if index == 0 else 0

    def isOpened(self):  # noqa: N802  # OpenCV's name
        return self.left > 0

    def get(self, _):
        return 15.0

    def read(self):
        self.left -= 1
        return self.left >= 0, np.full((24, 32, 3), (255, 0, 0), np.uint8)

    def release(self):
        self.left = 0


def test_a_camera_is_read_by_opencv_where_ffmpeg_does_not_read_it_by_number(monkeypatch):
    monkeypatch.setattr(connections.sys, "platform", "darwin")
    monkeypatch.setattr(cv2, "VideoCapture", _Capture)
    frames = find_sources(["0"])[0].open(patience=Patience(tries=0), say=[].append)
    read = list(frames)
    assert len(read) + frames.num_dropped == 5
    assert read[0].image[0, 0].tolist() == [0, 0, 255]
    assert "given up: no picture comes" in frames.loss
    with pytest.raises(UserError, match=r"camera 1 cannot be opened"):
        find_sources(["1"])[0].open()
