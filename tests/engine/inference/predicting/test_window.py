"""The window of --show: where it cannot be, why not; where it can, what closes it."""

import cv2
import numpy as np
import pytest

from mmdet.engine.inference.predicting import window

PICTURE = np.zeros((4, 6, 3), np.uint8)


@pytest.fixture
def display(monkeypatch):
    monkeypatch.setenv("DISPLAY", ":0")


def test_without_a_display_the_line_says_so(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(window.sys, "platform", "linux")
    assert "there is no display here" in window.open_window()


def test_an_opencv_without_windows_is_named_with_the_remedy(display, monkeypatch):
    def fail(*arguments):
        raise cv2.error("The function is not implemented")

    monkeypatch.setattr(cv2, "namedWindow", fail)
    said = window.open_window()
    assert "this OpenCV is built without windows" in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("key", "visible", "goes_on"), [(-1, 1.0, True), (ord("q"), 1.0, False), (27, 1.0, False), (-1, 0.0, False)]
)
def test_q_escape_and_closing_it_end_the_run(display, monkeypatch, key, visible, goes_on):
    shown = []
    monkeypatch.setattr(cv2, "namedWindow", lambda *arguments: None)
    monkeypatch.setattr(cv2, "imshow", lambda title, picture: shown.append(picture))
    monkeypatch.setattr(cv2, "waitKey", lambda delay: key)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda title, name: visible)
    assert window.open_window().show(PICTURE) is goes_on
    assert len(shown) == 1
