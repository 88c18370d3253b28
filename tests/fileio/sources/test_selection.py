"""The part of a video that --start, --end, --stride and --max-frames choose."""

import numpy as np
import pytest

from mmdet.errors import UserError
from mmdet.fileio.pictures.video import TimedFrame
from mmdet.fileio.sources.frame_source import open_source
from mmdet.fileio.sources.selection import Selection, select

COUNT, RATE = 50, 25


@pytest.fixture
def clip(videos):
    """A video of 2 s that shows the number of each frame by its brightness."""
    pictures = [np.full((16, 16, 3), 4 * index, np.uint8) for index in range(COUNT)]
    return videos.write("clip.mkv", "ffv1", pictures, pix="bgr0", rate=RATE)


def used(path, **options):
    """Return the numbers of the frames that are used, their times, and the selection of them."""
    frames = select(open_source(path), Selection(**options))
    read = list(frames)
    return [int(frame.image[0, 0, 0]) // 4 for frame in read], [frame.time_s for frame in read], frames


def test_without_options_the_source_itself_is_read(clip):
    source = open_source(clip)
    assert select(source, Selection()) is source


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"start": "10"}, range(10, 50)),
        ({"end": "10"}, range(10)),
        ({"start": 10, "end": 20}, range(10, 20)),
        ({"start": "0.4s", "end": "0.8s"}, range(10, 20)),
        ({"start": "0:01", "end": "00:00:01.2"}, range(25, 30)),
        ({"start": "10", "end": "0.6s"}, range(10, 15)),
        ({"start": "1s", "end": "30"}, range(25, 30)),
        ({"stride": 7}, range(0, 50, 7)),
        ({"start": "3", "stride": 10}, range(3, 50, 10)),
        ({"max_frames": 4}, range(4)),
        ({"start": "10", "end": "40", "stride": 5, "max_frames": 3}, (10, 15, 20)),
        ({"end": "1000"}, range(50)),
        ({"end": "1:00:00"}, range(50)),
    ],
)
def test_the_frames_are_those_asked_for_and_promised_beforehand(clip, options, expected):
    promised = select(open_source(clip), Selection(**options)).promised
    numbers, _, frames = used(clip, **options)
    assert numbers == list(expected)
    assert promised == frames.promised == len(expected)


def test_times_count_from_the_first_frame_used(clip):
    numbers, times, frames = used(clip, start="10", stride=5, max_frames=4)
    assert numbers == [10, 15, 20, 25]
    assert np.allclose(times, [0, 0.2, 0.4, 0.6])
    assert frames.rate == 5


def test_times_of_a_variable_rate_choose_by_the_frames_own_times(videos):
    path = videos.moving("a.mkv", times=[0, 40, 80, 500, 510, 520, 1500, 1501, 1600, 2500, 2900, 5000])
    frames = select(open_source(path), Selection(start="0.5s", end="1.6s"))
    assert np.allclose([frame.time_s for frame in frames], [0, 0.01, 0.02, 1, 1.001])
    assert frames.promised == 5


def test_a_part_of_an_undamaged_video_lacks_nothing(clip):
    assert used(clip, end="10")[2].loss is None


def test_frames_behind_a_cut_are_missing_in_a_part_that_reaches_there(videos):
    path = videos.moving("a.mkv", count=60)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    reaching = select(open_source(path), Selection(start="5"))
    count = len(list(reaching))
    assert "cut off" in reaching.loss
    assert count < reaching.promised
    assert reaching.promised == pytest.approx(55, abs=3)  # the length is rounded


def test_no_frame_behind_the_last_used_one_is_waited_for():
    class Endless:
        path, rate, notes, promised, loss = None, RATE, (), None, None

        def __iter__(self):
            for _ in range(3):
                yield TimedFrame(image=np.zeros((2, 2, 3), np.uint8), time_s=0.0, name="frame")
            raise AssertionError("a fourth frame was asked for")

    assert len(list(select(Endless(), Selection(max_frames=3)))) == 3
    assert len(list(select(Endless(), Selection(end=3)))) == 3
    assert select(Endless(), Selection(max_frames=3)).promised == 3
    assert select(Endless(), Selection(stride=3)).promised is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": "x"}, "--start 'x': expected a frame (120), seconds (4.5s) or a clock time (1:30)"),
        ({"start": "-5"}, "--start '-5'"),
        ({"end": "1.5"}, "--end '1.5'"),
        ({"end": "1:75"}, "--end '1:75'"),
        ({"end": "1:60:00"}, "--end '1:60:00'"),
        ({"end": "9" * 5000}, "--end '9999"),
        ({"start": "nans"}, "--start 'nans'"),
        ({"start": "20", "end": "20"}, "--end 20 does not lie behind the start (20)"),
        ({"start": "2s", "end": "0:01"}, "--end 0:01 does not lie behind the start (2s)"),
        ({"end": "0"}, "--end 0 does not lie behind"),
        ({"stride": 0}, "--stride 0: expected a number of frames of at least 1"),
        ({"max_frames": -1}, "--max-frames -1"),
    ],
)
def test_a_senseless_choice_names_its_option(options, message):
    with pytest.raises(UserError) as error:
        Selection(**options)
    assert str(error.value).startswith(message)
    assert len(str(error.value)) < 200


def test_a_start_behind_the_end_says_how_long_the_video_is(clip):
    with pytest.raises(UserError, match=r"clip\.mkv: --start 3s lies behind its end at 1\.96 s"):
        used(clip, start="3s")


def test_a_start_and_an_end_with_nothing_between_are_told(clip):
    with pytest.raises(UserError, match=r"no frame lies from --start 1s to --end 20"):
        used(clip, start="1s", end="20")


def test_images_that_are_not_used_are_not_opened(tmp_path, still):
    for index in range(9):
        still(f"clip/{index}.png", 10 * index)
    for index in (0, 3, 5, 8):
        (tmp_path / f"clip/{index}.png").write_bytes(b"damaged")
    frames = select(open_source(tmp_path / "clip"), Selection(start=1, stride=3, end=8))
    assert [int(frame.image.mean()) for frame in frames] == [10, 40, 70]


SECONDS = 40
LONG = {
    "a.mp4": ("libx264", {"g": "30", "bf": "3"}),
    "open.mkv": ("libx264", {"x264-params": "open-gop=1:keyint=40:bframes=3"}),
    "refresh.mp4": ("libx264", {"x264-params": "intra-refresh=1:keyint=30"}),
    "hevc.mp4": ("libx265", {"x265-params": "log-level=none:keyint=40"}),
    "a.ts": ("libx264", {"g": "30", "bf": "2"}),
    "a.avi": ("mpeg4", {"g": "30", "bf": "2"}),
    "one_key.mp4": ("libx264", {"g": "100000", "sc_threshold": "0"}),
}


@pytest.mark.parametrize("name", LONG)
def test_frames_behind_a_late_start_are_those_of_reading_from_the_beginning(videos, scene, name):
    codec, options = LONG[name]
    path = videos.write(name, codec, [scene(index % 60) for index in range(10 * SECONDS)], rate=10, **options)
    whole = [frame for frame in open_source(path) if frame.time_s >= 30.3 - 1e-6]
    part = list(select(open_source(path), Selection(start="30.3s", end="35s")))
    assert part[0].time_s == 0
    for expected, frame in zip(whole, part, strict=False):
        assert frame.time_s == pytest.approx(expected.time_s - whole[0].time_s)
        assert np.array_equal(frame.image, expected.image)
    assert len(part) == len([frame for frame in whole if frame.time_s < 35 - 1e-6])


def test_what_lies_long_before_the_start_is_not_decoded(videos, scene):
    path = videos.write("a.mp4", "libx264", [scene(index % 60) for index in range(10 * SECONDS)], rate=10, g="30")
    source = open_source(path)
    frames = select(source, Selection(start="0:30"))
    assert frames.promised == len(list(frames)) == 100
    assert source._num_read < 160
    assert frames.loss is None


def test_a_late_start_in_a_damaged_file_keeps_what_is_missing(videos, scene):
    path = videos.write("a.mkv", "libx264", [scene(index % 60) for index in range(10 * SECONDS)], rate=10, g="30")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 95 // 100])
    frames = select(open_source(path), Selection(start="30s"))
    count = len(list(frames))
    assert 0 < count < 100
    assert "cut off" in frames.loss
    assert frames.promised == pytest.approx(100, abs=2)


def test_a_late_start_behind_the_end_is_told(videos, scene):
    path = videos.write("a.mp4", "libx264", [scene(index % 60) for index in range(10 * SECONDS)], rate=10, g="30")
    with pytest.raises(UserError, match=r"--start 1:00 lies behind its end at 39\.90 s"):
        list(select(open_source(path), Selection(start="1:00")))
