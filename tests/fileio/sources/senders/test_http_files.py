"""Finite videos behind http addresses of 127.0.0.1: every frame is read, over slow and broken connections."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from local_senders import HttpSender, TcpSender, send_part, silent

from mmdet.errors import UserError
from mmdet.fileio.sources.finding import find_sources
from mmdet.fileio.sources.frame_source import open_source
from mmdet.fileio.sources.senders.waiting import Patience

QUICK = Patience(timeout_s=2, tries=3, first_pause_s=0.02)


@pytest.fixture
def web():
    sender = HttpSender({})
    yield sender
    sender.close()


@pytest.fixture
def clip(videos):
    """A video whose index stands at its end, with noise so that it takes many pieces to send."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 64, 96, 3), dtype=np.uint8)
    return videos.write("clip.mp4", "libx264", list(noise))


def opened(address, patience=QUICK, **settings):
    said = []
    (source,) = find_sources([address])
    return source.open(patience=patience, say=said.append, **settings), said


def breaking(content, places):
    """Return a function that ends its first answers behind these numbers of bytes."""
    left = list(places)
    return lambda handler: send_part(handler, content, left.pop(0) if left else None)


def same(frames, path):
    return all(
        np.array_equal(a.image, b.image) and a.time_s == b.time_s
        for a, b in zip(frames, open_source(path), strict=True)
    )


def test_a_file_is_read_as_if_it_lay_here(web, clip):
    web.paths["/clip.mp4"] = clip.read_bytes()
    frames, said = opened(f"{web.address}/clip.mp4")
    assert (frames.promised, frames.rate, frames.path) == (40, 25, None)
    assert same(frames, clip)
    assert (frames.loss, said) == (None, [])


def test_no_frame_is_dropped_while_one_is_worked_on(web, clip):
    web.paths["/clip.mp4"] = clip.read_bytes()
    count = 0
    for _ in opened(f"{web.address}/clip.mp4")[0]:
        time.sleep(0.01)
        count += 1
    assert count == 40


def test_a_file_that_is_sent_slowly_is_read_whole(web, clip):
    web.paths["/clip.mp4"] = lambda handler: send_part(handler, clip.read_bytes(), pause_s=0.003)
    assert same(opened(f"{web.address}/clip.mp4")[0], clip)


def test_a_file_whose_sending_breaks_is_read_on_where_it_broke(web, clip):
    size = clip.stat().st_size
    web.paths["/clip.mp4"] = breaking(clip.read_bytes(), [None, None, size // 3, size // 3])
    frames, said = opened(f"{web.address}/clip.mp4")
    assert same(frames, clip)
    assert frames.loss is None
    assert said[0] == f"{web.address}/clip.mp4 broke off: it was cut off; connecting again in 0.02 s (1 of 3)"


def test_a_server_that_sends_no_parts_is_read_whole_after_a_break(web, videos):
    content = videos.moving("clip.mkv").read_bytes()
    places = [len(content) // 2]

    def send_all(handler):
        del handler.headers["Range"]
        send_part(handler, content, places.pop() if places else None)

    web.paths["/clip.mkv"] = send_all
    frames, _ = opened(f"{web.address}/clip.mkv")
    assert same(frames, videos.folder / "clip.mkv")


def test_a_file_that_breaks_too_often_ends_with_what_was_read(web, videos):
    content = videos.moving("clip.mkv", count=100, **{"g": "5"}).read_bytes()
    half = len(content) // 2

    def send(handler):
        start = int(handler.headers["Range"][6:-1])
        send_part(handler, content, max(0, half - start))

    web.paths["/clip.mkv"] = send
    frames, said = opened(f"{web.address}/clip.mkv")
    count = len(list(frames))
    assert 20 < count < 80
    assert f"{count} of about 100 frames read" in frames.loss
    assert frames.loss.endswith("(it was cut off, after connecting again 3 times)")
    assert [line.rpartition("in ")[2] for line in said[:3]] == ["0.02 s (1 of 3)", "0.04 s (2 of 3)", "0.08 s (3 of 3)"]
    assert len(said) == 4


def test_a_login_is_sent_to_the_server_alone_and_never_shown(web, clip):
    def needs_login(handler):
        if handler.headers.get("Authorization") == "Basic YW5uOmh1bnRlcjI=":  # ann:hunter2
            send_part(handler, clip.read_bytes())
        else:
            handler.send_error(401)

    web.paths["/clip.mp4"] = needs_login
    frames, _ = opened(web.address.replace("://", "://ann:hunter2@") + "/clip.mp4")
    assert "hunter2" not in next(iter(frames)).name
    assert all("hunter2" not in path for path, _ in web.requests)
    with pytest.raises(UserError) as error:
        opened(web.address.replace("://", "://ann:hunter3@") + "/clip.mp4")
    assert str(error.value).endswith("clip.mp4: Server returned 401 Unauthorized (authorization failed)")
    assert "hunter3" not in str(error.value)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/a.mp4", "gopher://127.0.0.1/"])
def test_a_redirection_to_anything_but_the_web_is_refused(web, target):
    def redirect(handler):
        handler.send_response(302)
        handler.send_header("Location", target)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    web.paths["/clip.mp4"] = redirect
    with pytest.raises(UserError):
        opened(f"{web.address}/clip.mp4")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html><body>Sorry</body></html>", "is a web page, not a video"),
        (b"", "is empty"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "is a playlist, not a video"),
        (b"\x01\x02\xff\xfe" * 500, "is not a readable video"),
    ],
)
def test_what_is_no_video_is_told(web, content, message):
    web.paths["/clip.mp4"] = content
    with pytest.raises(UserError, match=message):
        opened(f"{web.address}/clip.mp4")


def test_a_missing_file_is_told(web):
    with pytest.raises(UserError, match=r"/clip\.mp4: Server returned 404 Not Found"):
        opened(f"{web.address}/clip.mp4")


def test_a_server_that_never_answers_is_told_after_the_time_limit(web):
    web.paths["/clip.mp4"] = silent
    start = time.monotonic()
    with pytest.raises(UserError, match=r"no answer within 0\.3 s"):
        opened(f"{web.address}/clip.mp4", Patience(timeout_s=0.3))
    assert time.monotonic() - start < 3


def test_a_stop_while_a_server_is_slow_ends_the_frames_at_once(web, clip):
    web.paths["/clip.mp4"] = lambda handler: send_part(handler, clip.read_bytes(), pause_s=0.2)
    stop_s = time.monotonic() + 0.5
    frames, _ = opened(f"{web.address}/clip.mp4", Patience(timeout_s=30), stopped=lambda: time.monotonic() > stop_s)
    assert len(list(frames)) < 40
    assert time.monotonic() - stop_s < 2


def test_ctrl_c_ends_a_program_that_waits_for_a_dead_server_promptly(clip):
    def fall_silent(taken):
        taken.recv(4096)
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {clip.stat().st_size}\r\n\r\n"
        taken.sendall(head.encode() + clip.read_bytes()[:2000])
        taken.recv(1)

    sender = TcpSender([fall_silent], "http")
    program = (
        "import sys; from mmdet.fileio.sources.finding import find_sources; print('ready', flush=True)\n"
        "from mmdet.fileio.sources.senders.waiting import Patience\n"
        "try: list(find_sources(sys.argv[1:])[0].open(patience=Patience(timeout_s=60)))\n"
        "except KeyboardInterrupt: print('interrupted', flush=True)"
    )
    command = [sys.executable, "-c", program, f"{sender.address}/clip.mp4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        assert process.wait(30) == 0
    assert time.monotonic() - start < 10
    sender.close()
