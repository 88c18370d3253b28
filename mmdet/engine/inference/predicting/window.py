"""A window that shows drawn frames as they come, where there is a display and an OpenCV that can open windows."""

from __future__ import annotations

import os
import sys

import cv2

from mmdet.visualization.draw import Picture

TITLE = "memcnp-vis"
_QUIT = (ord("q"), 27)  # 27: the escape key


class Window:
    """An open window. `show` returns whether the user wants to go on: q, escape and closing it mean no."""

    def show(self, picture: Picture) -> bool:
        """Show a picture (H, W, 3) RGB."""
        cv2.imshow(TITLE, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        if cv2.waitKey(1) & 0xFF in _QUIT:
            return False
        return cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) >= 1

    def close(self) -> None:
        """Close the window."""
        cv2.destroyWindow(TITLE)


def open_window() -> Window | str:
    """Open a window; return a line that says why not where that is impossible."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "--show: no window, as there is no display here (DISPLAY is not set); the files show the same"
    try:
        cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL)
    except cv2.error:
        return (
            "--show: no window, as this OpenCV is built without windows (opencv-python-headless): put opencv-python in "
            "its place; the files show the same"
        )
    return Window()
