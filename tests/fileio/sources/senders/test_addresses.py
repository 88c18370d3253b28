"""Addresses: what is one, how passwords stay out of sight, and what a sender may make this machine open."""

import pytest
from local_senders import HttpSender

from mmdet.errors import UserError
from mmdet.fileio.sources.finding import find_sources

SECRET = "hunter2"


def source_of(text):
    (source,) = find_sources([text])
    return source


@pytest.fixture
def web():
    sender = HttpSender({})
    yield sender
    sender.close()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://ann:hunter2@cam:554/live", "rtsp://***@cam:554/live"),
        ("RTSP://hunter2@cam/live", "rtsp://***@cam/live"),
        ("rtsp://ann:hu@hunter2@cam/live", "rtsp://***@cam/live"),
        ("http://cam/x?user=ann&password=hunter2&channel=3", "http://cam/x?user=***&password=***&channel=3"),
        ("https://host/v.mp4?X-Amz-Signature=hunter2", "https://host/v.mp4?X-Amz-Signature=***"),
        ("http://host/@name/clip.mp4", "http://host/@name/clip.mp4"),
        ("http://host:8080/clip.mp4", "http://host:8080/clip.mp4"),
    ],
)
def test_passwords_are_never_shown(text, shown):
    source = source_of(text)
    assert source.text == shown
    assert SECRET not in f"{source!r} {source.name} {source.notes}"


@pytest.mark.parametrize(
    "text", ["rtsp://ann:hunter2/x@cam/live", "rtsp://ann:1hunter2#@cam/live", "rtp:///x?key=hunter2 "]
)
def test_passwords_are_not_shown_in_errors_about_wrong_addresses(text):
    with pytest.raises(UserError) as error:
        find_sources([text])
    assert SECRET not in str(error.value)


def test_passwords_are_not_shown_when_connecting_fails():
    with pytest.raises(UserError) as error:
        source_of("rtsp://ann:hunter2@127.0.0.1:1/live").open()
    assert str(error.value) == "rtsp://***@127.0.0.1:1/live: Connection refused"


@pytest.mark.parametrize(
    ("text", "name", "is_live"),
    [
        ("rtsp://ann:pw@cam:554/live/1?channel=2", "cam_554_live_1", True),
        ("https://host/a/b/clip.mp4?x=1", "clip", False),
        ("http://10.0.0.1:8080/video", "10.0.0.1_8080_video", True),
        ("udp://239.0.0.1:1234", "239.0.0.1_1234", True),
        ("rtmp://host/../../etc/passwd", "host_.._.._etc_passwd", True),
        ("http://host/%2e%2e%2fx.mp4", "%2e%2e%2fx", False),
    ],
)
def test_files_are_named_after_the_address(text, name, is_live):
    source = source_of(text)
    assert (source.name, source.is_live, source.path) == (name, is_live, None)


def test_addresses_and_files_are_named_apart(tree):
    tree("clip.mp4")
    assert [source.name for source in find_sources(["http://a/clip.mp4", "clip.mp4", "http://b/clip.mp4"])] == [
        "clip",
        "clip.mp4",
        "b_clip.mp4",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file:///etc/passwd", "give the path alone, without file://"),
        ("rtps://cam/live", "rtps is not read; did you mean rtsps"),
        ("concat://a|b", "concat is not read"),
        ("rtsp:///live", "has no host, or a wrong port"),
        ("rtsp://cam:99999/live", "has no host, or a wrong port"),
        ("rtsp://cam/a b", "has blanks or control characters"),
        ("rtsp://cam/a\nb", "has blanks or control characters"),
    ],
)
def test_a_wrong_address_says_what_is_wrong(text, message):
    with pytest.raises(UserError) as error:
        find_sources([text])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_kind_of_address_that_this_ffmpeg_lacks_is_told():
    with pytest.raises(UserError, match=r"srt://127\.0\.0\.1:1: the FFmpeg of this installation cannot read"):
        source_of("srt://127.0.0.1:1").open()


def playlist(name):
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.48,\n{name}\n#EXT-X-ENDLIST\n".encode()


@pytest.mark.parametrize("name", ["file:{}", "{}", "concat:{}", "subfile,,start,0,end,0,,:{}"])
def test_a_playlist_from_the_network_opens_no_file_of_this_machine(videos, web, name):
    path = videos.moving("secret.ts")
    web.paths["/list.m3u8"] = (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{name.format(path)}\n#EXT-X-ENDLIST\n".encode()
    )
    with pytest.raises(UserError):
        list(source_of(f"{web.address}/list.m3u8").open())


def test_a_playlist_of_addresses_is_read(videos, web):
    web.paths["/0.ts"] = videos.moving("a.ts").read_bytes()
    web.paths["/list.m3u8"] = playlist("0.ts")
    assert len(list(source_of(f"{web.address}/list.m3u8").open())) == 12
