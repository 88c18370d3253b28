"""Check the frames that a program gives: what cannot be tracked is refused with the remedy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Tensor

from mmdet.errors import UserError
from mmdet.structures import Size

_CHANNELS = 3


def check_frame(frame: Any, index: int, size: Size | None = None) -> None:
    """Raise UserError unless a frame is an array (H, W, 3) uint8, of the video's `size` if that is given.

    The order of the colours cannot be seen: OpenCV's BGR must be turned to RGB by the caller.
    """
    fault = _fault_of_kind(frame) or _fault_of_shape(frame) or _fault_of_type(frame)
    if fault is None and size is not None and frame.shape[:2] != size:
        height, width = frame.shape[:2]
        fault = (
            f"is {width}x{height}, the video {size[1]}x{size[0]}: resize it, "
            f"cv2.resize(frame, ({size[1]}, {size[0]})), or start another stream"
        )
    if fault is not None:
        raise UserError(f"frame {index} {fault}")


def frames_of(given: Any) -> Iterator[np.ndarray]:
    """Yield the frames of an iterable of arrays. Raises UserError for what gives none, or gives BGR."""
    if isinstance(given, Tensor):
        raise UserError("the frames are one torch tensor: give arrays (height, width, 3) uint8 RGB, one per frame")
    if hasattr(given, "read") and hasattr(given, "isOpened"):
        raise UserError(
            "a cv2.VideoCapture gives BGR frames: give its file, address or camera number itself, or a generator that "
            "turns each to RGB, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)"
        )
    if isinstance(given, np.ndarray) and given.ndim != 4:
        raise UserError(
            f"the frames are one array of shape {given.shape}: give an iterable of frames (height, width, 3), such as "
            "[frame] for a single one"
        )
    try:
        return iter(given)
    except TypeError:
        raise UserError(
            f"a {type(given).__name__} is no video: give a file, folder or address, or an iterable of frames "
            "(height, width, 3) uint8 RGB"
        ) from None


def _fault_of_kind(frame: Any) -> str | None:
    if isinstance(frame, np.ndarray):
        return None
    if isinstance(frame, Tensor):
        order = ".permute(1, 2, 0)" if frame.ndim == 3 and frame.shape[0] == _CHANNELS else ""
        scale = ".mul(255).round().byte()" if frame.is_floating_point() else ""
        return f"is a torch tensor: give an array (height, width, 3) uint8 RGB, frame{order}{scale}.cpu().numpy()"
    if hasattr(frame, "to_ndarray"):  # of PyAV
        return 'is a frame of PyAV: give frame.to_ndarray(format="rgb24")'
    if hasattr(frame, "convert"):  # of Pillow
        return 'is an image of Pillow: give np.array(frame.convert("RGB"))'
    return f"is a {type(frame).__name__}: give an array (height, width, 3) uint8 RGB"


def _fault_of_shape(frame: np.ndarray) -> str | None:
    shape = frame.shape
    if len(shape) == 3 and shape[2] == _CHANNELS and 0 not in shape:
        return None
    remedy = "give an array (height, width, 3) uint8 RGB"
    if len(shape) == 2 or (len(shape) == 3 and shape[2] == 1):
        remedy = "it is grayscale: give it three channels, cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB)"
    elif len(shape) == 3 and shape[2] == _CHANNELS + 1:
        remedy = "leave its alpha channel out, frame[..., :3]"
    elif len(shape) == 3 and shape[0] == _CHANNELS:
        remedy = "give its channels last, frame.transpose(1, 2, 0)"
    elif len(shape) == 4:
        remedy = "it is several frames: give one at a time"
    return f"has shape {shape}: {remedy}"


def _fault_of_type(frame: np.ndarray) -> str | None:
    if frame.dtype == np.uint8:
        return None
    remedy = "give values from 0 to 255 as uint8"
    if np.issubdtype(frame.dtype, np.floating):
        remedy = (
            "give values from 0 to 255 as uint8; if they lie between 0 and 1, (frame * 255).round().astype(np.uint8)"
        )
    elif frame.dtype == np.uint16:
        remedy = "give values from 0 to 255 as uint8, (frame >> 8).astype(np.uint8) if all 16 bits are used"
    return f"has type {frame.dtype}: {remedy}"
