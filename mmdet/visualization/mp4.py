"""Write pictures one after the other to an H.264 mp4 (yuv420p, which all players and browsers support) with PyAV."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

from mmdet.errors import UserError
from mmdet.structures import Size
from mmdet.visualization.draw import Picture

LARGEST_RATE_DENOMINATOR = 1001  # of NTSC rates such as 30000 / 1001
CRF = "21"  # H.264's constant quality: 18 is visually lossless, 23 the encoder's default
PRESET = "superfast"  # as good as the default at CRF 20 by a fifth of the work, in files a third larger
LARGEST_SIDE_PX = 16384  # the limit of libx264
_TICKS = 10_000  # per second, at least: the resolution of times
_HD_LINES = 720  # players assume BT.601 for fewer lines and BT.709 for more
# weights of red and blue in luma; numbers of matrix, primaries and transfer characteristics (ITU-T H.273)
_BT709, _BT601 = ((0.2126, 0.0722), (1, 1, 1)), ((0.299, 0.114), (6, 6, 6))


class Append(Protocol):
    """A function that adds a picture to a video."""

    def __call__(self, picture: Picture, time_s: float | None = None) -> None:
        """Add a picture (H, W, 3) uint8 RGB, shown from `time_s` on, by default from the next time of the rate."""


def check_video_size(size: Size) -> None:
    """Raise UserError if pictures of this size do not fit into an mp4."""
    if max(size) > LARGEST_SIDE_PX:
        raise UserError(
            f"pictures of {size[1]}x{size[0]} cannot be drawn into an mp4, whose sides are at most {LARGEST_SIDE_PX} "
            "pixels: scale the frames down"
        )


@contextmanager
def open_mp4(path: Path, size: Size, fps: float | Fraction) -> Iterator[Append]:
    """Open an mp4 and yield a function that appends an RGB picture of `size`.

    Odd sizes are padded by a row or a column. The file holds all appended pictures, even if the context is left by an
    error. Raises UserError as `check_video_size` does.
    """
    check_video_size(size)
    rate = max(Fraction(fps).limit_denominator(LARGEST_RATE_DENOMINATOR), Fraction(1, LARGEST_RATE_DENOMINATOR))
    tick = Fraction(1, rate.numerator * math.ceil(_TICKS / rate.numerator))  # a frame's time is a whole number of ticks
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width = _even(size)
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": CRF, "preset": PRESET}
        context = stream.codec_context
        context.thread_type = "FRAME"  # twice as fast on two cores as PyAV's default, slices
        context.time_base = tick
        weights, tags = _BT709 if size[0] >= _HD_LINES else _BT601
        to_yuv = _yuv_matrix(*weights)
        context.color_range = ColorRange.MPEG
        context.colorspace, context.color_primaries, context.color_trc = tags
        ticks = -1

        def append(picture: Picture, time_s: float | None = None) -> None:
            nonlocal ticks
            frame = av.VideoFrame.from_ndarray(_yuv420(_padded_to_even(picture), to_yuv), format="yuv420p")
            next_ticks = ticks + round(1 / (rate * tick)) if ticks >= 0 else 0
            ticks = next_ticks if time_s is None else max(round(time_s / tick), ticks + 1)
            frame.pts, frame.time_base = ticks, tick
            container.mux(stream.encode(frame))

        try:
            yield append
        finally:
            container.mux(stream.encode())  # packets that the encoder still holds


def _yuv_matrix(red: float, blue: float) -> NDArray[np.float32]:
    """Return the matrix (3, 4) from RGB and 1 to Y'CbCr of limited range (ITU-T H.273), by the weights in luma."""
    luma = np.array([red, 1 - red - blue, blue])
    blue_difference, red_difference = ((0, 0, 1) - luma) / (2 * (1 - blue)), ((1, 0, 0) - luma) / (2 * (1 - red))
    scaled = np.stack([219 * luma, 224 * blue_difference, 224 * red_difference]) / 255
    return np.column_stack([scaled, [16, 128, 128]]).astype(np.float32)


def _yuv420(picture: Picture, matrix: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the planes (3 H / 2, W) of a picture: three times as fast as FFmpeg's conversion, and exact."""
    height, width = picture.shape[:2]
    full = cv2.transform(picture, matrix)
    halved = cv2.resize(full, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    chroma = np.moveaxis(halved[..., 1:], -1, 0).reshape(-1, width)
    return np.concatenate([full[..., 0], chroma]).astype(np.uint8)


def _even(size: Size) -> Size:
    """Round sides up to even numbers: yuv420p halves both."""
    return size[0] + size[0] % 2, size[1] + size[1] % 2


def _padded_to_even(picture: Picture) -> Picture:
    """Repeat the last row and column of odd sizes."""
    return np.pad(picture, ((0, picture.shape[0] % 2), (0, picture.shape[1] % 2), (0, 0)), mode="edge")
