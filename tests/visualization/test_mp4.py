from fractions import Fraction

import av
import numpy as np
import pytest

from mmdet.errors import UserError
from mmdet.visualization.mp4 import open_mp4


def pictures(count, size):
    """Grey that becomes lighter, with a red half."""
    made = [np.full((*size, 3), 40 + 10 * index, np.uint8) for index in range(count)]
    for picture in made:
        picture[:, : size[1] // 2] = (200, 60, 30)
    return made


def read(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(stream)]
        return frames, stream.average_rate


@pytest.mark.parametrize("fps", [5, 12.5, 25, 60, Fraction(30000, 1001), 23.976])
def test_the_rate_is_the_one_asked_for(tmp_path, fps):
    with open_mp4(tmp_path / "a.mp4", (64, 96), fps) as append:
        for picture in pictures(6, (64, 96)):
            append(picture)
    frames, rate = read(tmp_path / "a.mp4")
    assert float(rate) == pytest.approx(float(fps), rel=1e-4)
    assert np.allclose([time for time, _ in frames], np.arange(6) / float(fps), atol=1e-4)


def test_times_of_a_variable_rate_are_kept(tmp_path):
    times = [0, 0.033, 0.5, 0.533, 2.0]
    with open_mp4(tmp_path / "a.mp4", (64, 96), 5.7) as append:
        for picture, time in zip(pictures(5, (64, 96)), times, strict=True):
            append(picture, time)
    assert np.allclose([time for time, _ in read(tmp_path / "a.mp4")[0]], times, atol=1e-3)


@pytest.mark.parametrize("size", [(64, 96), (720, 96)])
def test_colours_are_those_of_the_pictures_at_any_size(tmp_path, size):
    """Players take many lines for BT.709, few for BT.601; the file states which."""
    with open_mp4(tmp_path / "a.mp4", size, 25) as append:
        for picture in pictures(2, size):
            append(picture)
    frame = read(tmp_path / "a.mp4")[0][0][1]
    assert np.abs(frame[size[0] // 2, 10].astype(int) - (200, 60, 30)).max() <= 4
    with av.open(str(tmp_path / "a.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_range) == (1 if size[0] == 720 else 6, 1)


def test_an_error_leaves_the_pictures_before_it(tmp_path):
    def fail_after_three():
        with open_mp4(tmp_path / "a.mp4", (64, 96), 25) as append:
            for picture in pictures(3, (64, 96)):
                append(picture)
            raise KeyError

    with pytest.raises(KeyError):
        fail_after_three()
    assert len(read(tmp_path / "a.mp4")[0]) == 3


def test_pictures_too_large_for_an_mp4_are_refused_before_a_file_is_made(tmp_path):
    with (
        pytest.raises(UserError, match="pictures of 16386x2 cannot be drawn into an mp4"),
        open_mp4(tmp_path / "long.mp4", (2, 16386), 10),
    ):
        pass
    assert not list(tmp_path.iterdir())
    with open_mp4(tmp_path / "long.mp4", (2, 16384), 10) as append:
        append(np.zeros((2, 16384, 3), np.uint8))
