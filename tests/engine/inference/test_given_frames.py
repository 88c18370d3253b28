"""Frames that a program gives: what cannot be tracked is refused, and the remedy works."""

import av
import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from mmdet.engine.inference.given_frames import check_frame, frames_of
from mmdet.errors import UserError

GOOD = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
WRONG = {
    "floats": (GOOD / np.float32(255), "type float32", lambda frame: (frame * 255).round().astype(np.uint8)),
    "16 bits": (GOOD.astype(np.uint16) << 8, "type uint16", lambda frame: (frame >> 8).astype(np.uint8)),
    "grayscale": (GOOD[..., 0], "grayscale", lambda frame: cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB)),
    "one channel": (GOOD[..., :1], "grayscale", lambda frame: cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB)),
    "alpha": (np.dstack((GOOD, GOOD[..., 0])), "alpha", lambda frame: frame[..., :3]),
    "channels first": (GOOD.transpose(2, 0, 1), "transpose", lambda frame: frame.transpose(1, 2, 0)),
    "a tensor": (torch.from_numpy(GOOD), "torch tensor.*, frame.cpu", lambda frame: frame.cpu().numpy()),
    "a tensor of floats": (
        torch.from_numpy(GOOD / np.float32(255)).permute(2, 0, 1),
        r"frame.permute\(1, 2, 0\).mul\(255\).round\(\).byte\(\).cpu\(\).numpy\(\)",
        lambda frame: frame.permute(1, 2, 0).mul(255).round().byte().cpu().numpy(),
    ),
    "an image of Pillow": (Image.fromarray(GOOD), "Pillow", lambda frame: np.array(frame.convert("RGB"))),
    "a frame of PyAV": (
        av.VideoFrame.from_ndarray(GOOD[:, :4].copy(), format="rgb24"),
        "PyAV",
        lambda frame: frame.to_ndarray(format="rgb24"),
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_frame_is_refused_with_a_remedy_that_works(kind):
    frame, message, remedy = WRONG[kind]
    with pytest.raises(UserError, match=f"^frame 7 .*{message}"):
        check_frame(frame, 7)
    check_frame(remedy(frame), 7)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (GOOD[None], "several frames"),
        (GOOD.astype(np.int64), "type int64"),
        (GOOD[:0], r"shape \(0, 5, 3\)"),
        ("frame.png", "is a str"),
        (None, "is a NoneType"),
    ],
)
def test_other_wrong_frames_are_named(frame, message):
    with pytest.raises(UserError, match=message):
        check_frame(frame, 0)


def test_a_frame_of_another_size_is_named_with_both_sizes():
    with pytest.raises(UserError, match=r"frame 3 is 5x4, the video 75x50: resize it, cv2.resize\(frame, \(75, 50\)\)"):
        check_frame(GOOD, 3, (50, 75))
    check_frame(cv2.resize(GOOD, (75, 50)), 3, (50, 75))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (torch.zeros(2, 3, 4, 5), "one torch tensor"),
        (GOOD, r"such as \[frame\]"),
        (7.5, "a float is no video"),
        (cv2.VideoCapture(), "BGR.*cv2.cvtColor"),
    ],
)
def test_what_holds_no_frames_is_refused(given, message):
    with pytest.raises(UserError, match=message):
        frames_of(given)


def test_an_array_of_frames_is_gone_through():
    assert [frame.shape for frame in frames_of(np.stack([GOOD, GOOD]))] == [GOOD.shape] * 2
