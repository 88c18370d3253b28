"""Video files: every frame, whole, in its colours and the right way up, or a line that says what is missing."""

import gc
import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from mmdet.errors import UserError
from mmdet.fileio.sources.frame_source import open_source, read_video


def apart(image, expected):
    return np.abs(image.astype(int) - expected).mean()


def told(path):
    with pytest.raises(UserError) as error:
        list(read_video(path))
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "codec", "pix"),
    [
        ("a.mp4", "libx264", "yuv420p"),
        ("a.mkv", "ffv1", "yuv444p"),
        ("a.avi", "mpeg4", "yuv420p"),
        ("a.webm", "libvpx-vp9", "yuv420p"),
        ("a.mov", "prores_ks", "yuv422p10le"),
        ("a.ts", "libx264", "yuv420p"),
        ("a.mpg", "mpeg2video", "yuv420p"),
        ("a.mov", "qtrle", "argb"),
        ("a.webm", "libvpx-vp9", "yuva420p"),
        ("a.mp4", "libx264", "yuv420p10le"),
    ],
)
def test_every_frame_of_a_video_is_read_as_rgb(videos, scene, name, codec, pix):
    frames = list(read_video(videos.moving(name, codec, pix=pix)))
    assert len(frames) == 12
    for index, frame in enumerate(frames):
        assert frame.dtype == np.uint8
        assert apart(frame, scene(index)) < 12, "red is not blue, and no frame is another"


def test_odd_sizes_and_grey_are_read(videos, scene):
    odd = list(read_video(videos.moving("odd.mkv", "ffv1", size=(63, 95), pix="yuv444p")))
    assert apart(odd[3], scene(3, (63, 95))) < 4
    grey = list(read_video(videos.moving("grey.mkv", "ffv1", pix="gray")))
    assert (grey[0] == grey[0][..., :1]).all()


@pytest.mark.parametrize("order", ["tff", "bff"])
@pytest.mark.parametrize(("name", "codec"), [("i.mpg", "mpeg2video"), ("i.mkv", "libx264"), ("i.mov", "prores_ks")])
def test_an_interlaced_video_is_read_whole_and_without_combs(videos, scene, order, name, codec):
    """The fields of a frame show two times; what is read shows one, the earlier, within what interpolation blurs."""
    pictures = []
    for index in range(12):
        early, late = scene(6 * index), scene(6 * index + 3)
        woven, first = late.copy(), 0 if order == "tff" else 1
        woven[first::2] = early[first::2]
        pictures.append(woven)
    pix = "yuv422p10le" if codec == "prores_ks" else "yuv420p"
    options = {"x264-params": f"{order}=1"} if codec == "libx264" else {}
    frames = list(read_video(videos.write(name, codec, pictures, pix=pix, interlaced=order, **options)))
    assert len(frames) == 12
    for index, frame in enumerate(frames):
        assert apart(frame, scene(6 * index)) < 12
        combs = np.abs(np.diff(frame[20:44].astype(int), axis=0)).mean()
        assert combs < np.abs(np.diff(pictures[index][20:44].astype(int), axis=0)).mean() / 2


def test_progressive_video_is_left_as_it_is(videos):
    path = videos.moving("a.mkv", "ffv1", pix="bgr0")
    assert all(np.array_equal(a, b) for a, b in zip(read_video(path), read_video(path), strict=True))


@pytest.mark.parametrize("cover", ["marked", "plain"])
def test_a_cover_picture_in_front_is_no_frame(videos, scene, cover):
    path = videos.moving(f"a.{'mp4' if cover == 'marked' else 'mkv'}", cover=cover)
    frames = list(read_video(path))
    assert len(frames) == 12
    assert apart(frames[5], scene(5)) < 8
    assert open_source(path).notes == ()


MATRICES = {
    90: ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
    180: ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
    270: ((0, -1, 1, 0), lambda image: np.rot90(image)),
    "mirrored": ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
}


@pytest.mark.parametrize("turn", MATRICES)
def test_a_video_held_upright_is_read_upright(videos, turn):
    (a, b, c, d), upright = MATRICES[turn]
    path = videos.moving("a.mp4")
    stored = next(read_video(path))
    data = path.read_bytes()
    start = data.find(b"tkhd") + 44  # of the display matrix (ISO 14496-12, 8.3.2)
    one = 1 << 16
    matrix = struct.pack(">9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    path.write_bytes(data[:start] + matrix + data[start + 36 :])
    assert np.array_equal(next(read_video(path)), upright(stored))


def test_no_frame_stays_in_memory_behind_its_turn(videos):
    """Not even until Python looks for reference cycles: that would be hundreds of frames."""
    path = videos.moving("a.mp4", count=60)
    gc.collect()
    gc.disable()
    try:
        for _ in read_video(path):
            pass
        left = sum(type(thing) is av.VideoFrame for thing in gc.get_objects())
    finally:
        gc.enable()
    assert left < 5


@pytest.mark.parametrize("rate", [10, 30, 60, Fraction(30000, 1001)])
def test_the_rate_and_the_times_are_those_of_the_file(videos, rate):
    source = open_source(videos.moving("a.mp4", rate=rate))
    times = [frame.time_s for frame in source]
    assert source.rate == rate
    assert np.allclose(times, np.arange(12) / float(rate), atol=1e-4)


def test_times_of_a_variable_rate_are_kept(videos):
    times = [0, 33, 66, 100, 500, 1000, 1033, 1066, 2000, 2033, 2066, 2100]
    source = open_source(videos.moving("a.mkv", times=times))
    assert np.allclose([frame.time_s for frame in source], np.array(times) / 1000, atol=1e-3)
    assert source.loss is None


def test_a_video_that_starts_late_begins_at_zero(videos):
    assert next(iter(open_source(videos.moving("a.ts")))).time_s == 0


def test_what_a_whole_video_promises_is_read(videos):
    for name in ("a.mp4", "a.mkv", "a.avi", "a.ts"):
        source = open_source(videos.moving(name, "mpeg4" if name == "a.avi" else "libx264"))
        assert source.promised == len(list(source)) == 12
        assert source.loss is None


@pytest.fixture
def noise():
    return list(np.random.default_rng(0).integers(0, 255, (24, 64, 96, 3), dtype=np.uint8))


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "mjpeg"), ("a.mkv", "libx264"), ("a.webm", "libvpx-vp9")])
def test_a_cut_off_video_says_how_many_frames_of_how_many(videos, noise, name, codec):
    path = videos.write(name, codec, noise, pix="yuvj420p" if codec == "mjpeg" else "yuv420p")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    source = open_source(path)
    count = len(list(source))
    assert 5 < count < 20
    about = "" if name == "a.avi" else "about "
    assert f"{name}: {count} of {about}24 frames read" in source.loss


def zero_the_middle(path):
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2_000] = bytes(2_000)
    path.write_bytes(data)


def test_damaged_packets_are_skipped_and_counted(videos, noise):
    path = videos.write("a.mp4", "mpeg4", noise)
    zero_the_middle(path)
    source = open_source(path)
    count = len(list(source))
    assert 12 < count < 24
    assert f"a.mp4: {count} of 24 frames read" in source.loss
    assert "damaged packets skipped" in source.loss


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "libx264"), ("a.webm", "libvpx-vp9"), ("a.flv", "flv")])
def test_a_video_that_lacks_its_last_frames_says_so(videos, noise, name, codec):
    path = videos.write(name, codec, noise)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.9)])
    source = open_source(path)
    count = len(list(source))
    assert 18 < count < 24
    assert f"{name}: {count} of about 24 frames read" in source.loss
    assert source.promised == 24


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.flv", "a.ts"])
def test_a_whole_video_of_a_variable_rate_lacks_nothing(videos, name):
    source = open_source(videos.moving(name, times=[0, 40, 80, 500, 510, 520, 1500, 1501, 1600, 2500, 2900, 5000]))
    assert len(list(source)) == source.promised == 12
    assert source.loss is None


def test_hevc_goes_on_behind_a_damaged_packet(videos, noise):
    """Its decoder leaves out what refers to a damaged frame, up to the next frame that stands alone, unless asked."""
    path = videos.write("a.mp4", "libx265", noise, **{"x265-params": "log-level=none"})
    zero_the_middle(path)
    source = open_source(path)
    count = len(list(source))
    assert 20 < count < 24
    assert f"a.mp4: {count} of 24 frames read" in source.loss
    assert "damaged in part" in source.loss


def test_a_jpeg_of_a_video_is_never_half_grey(videos, noise):
    path = videos.write("a.mov", "mjpeg", noise, pix="yuvj420p")
    whole = list(read_video(path))
    zero_the_middle(path)
    source = open_source(path)
    frames = [frame.image for frame in source]
    assert 20 < len(frames) < 24
    assert all(any(np.array_equal(frame, own) for own in whole) for frame in frames)
    assert f"a.mov: {len(frames)} of 24 frames read" in source.loss


@pytest.mark.parametrize("name", ["a.mjpeg", "a.MJPG"])
def test_jpegs_one_after_the_other_in_a_file_are_a_video(videos, scene, name):
    path = videos.moving("a.mjpeg", "mjpeg", pix="yuvj420p").rename(videos.folder / name)
    frames = list(read_video(path))
    assert len(frames) == 12
    assert apart(frames[7], scene(7)) < 12


@pytest.mark.parametrize("name", ["a.mov", "a.mkv", "a.mp4"])
def test_of_several_videos_in_a_file_the_largest_is_read_and_the_others_told(videos, scene, name):
    """Whichever comes first or is marked: a preview is not what is meant."""
    path = videos.several(name, [(32, 48), (64, 96), (16, 32)])
    source = open_source(path)
    frames = [frame.image for frame in source]
    assert len(frames) == 12
    assert apart(frames[5], scene(5)) < 12
    assert source.notes == (f"{path} holds 3 videos: that of 96x64 is read, not 48x32, 32x16",)


def test_an_mp4_without_its_index_says_so(videos):
    path = videos.moving("a.mp4")
    data = path.read_bytes()
    path.write_bytes(data[: data.find(b"moov")])
    assert "a.mp4 is an mp4 without its index (moov atom)" in told(path)


def test_a_file_with_sound_alone_says_so(videos):
    assert "a.mp4 has sound alone" in told(videos.sound("a.mp4"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!DOCTYPE html><html>404</html>", "is a web page"),
        ("\n<html>404</html>", "is a web page"),
        ("ffconcat version 1.0\nfile other.mp4\n", "is a playlist"),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.mp4\n#EXT-X-ENDLIST\n", "is a playlist"),
        ("file 'other.mp4'\n", "is a playlist"),
        (";FFMETADATA1\ntitle=x\n", "is a playlist"),
        ("version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS"),
        ("hello", "is a text file"),
        ("", "is empty"),
        ("\0" * 5000, "begins with zeros"),
    ],
)
def test_a_file_that_is_no_video_is_named_for_what_it_is(videos, text, message):
    videos.moving("other.mp4")
    path = videos.folder / "a.mp4"
    path.write_text(text)
    assert f"a.mp4 {message}" in told(path)


@pytest.mark.parametrize("first", ["ffconcat version 1.0\nfile other.mp4\n", "#EXTM3U\n#EXTINF:1,\nother.mp4\n"])
def test_a_playlist_opens_no_other_file_even_if_it_is_not_told_for_one(videos, first, monkeypatch):
    """FFmpeg itself refuses its formats: the message is a courtesy."""
    videos.moving("other.mp4")
    path = videos.folder / "a.mp4"
    path.write_text(first)
    opened = []
    why = "mmdet.fileio.pictures.video.why_no_video"
    monkeypatch.setattr(why, lambda path, error: opened.append(str(error)) or "refused")
    assert told(path) == "refused"
    assert opened


def test_an_address_is_no_video(tmp_path):
    assert "is an address, which find_sources opens" in told(tmp_path.__class__("https://example.org/a.mp4"))
