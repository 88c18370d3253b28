"""Live streams of servers on 127.0.0.1: the newest frame counts, breaks are mended, and nothing waits for ever."""

import gc
import resource
import threading
import time
from pathlib import Path

import pytest
from local_senders import HttpSender, TcpSender, rtsp, send_jpegs, send_live, silent, stream_to_socket, write_stream

from mmdet.errors import UserError
from mmdet.fileio.sources.finding import find_sources
from mmdet.fileio.sources.senders.waiting import Patience

QUICK = Patience(timeout_s=2, tries=2, first_pause_s=0.05)


@pytest.fixture
def serve():
    """Start a sender that is closed after the test."""
    senders = []

    def start(kind, *arguments):
        senders.append(kind(*arguments))
        return senders[-1]

    yield start
    for sender in senders:
        sender.close()


def opened(address, patience=QUICK, **settings):
    """Return the frames of an address, and the lines that are said of it."""
    said = []
    (source,) = find_sources([address])
    return source.open(patience=patience, say=said.append, **settings), said


def numbers(frames):
    return [round(frame.image.mean() / 4) for frame in frames]


def increase(values):
    return all(later > earlier for earlier, later in zip(values, values[1:], strict=False))


@pytest.mark.parametrize(
    ("answer", "scheme", "count"), [(stream_to_socket, "tcp", 40), (rtsp, "rtsp", 39)], ids=["MPEG-TS over TCP", "RTSP"]
)
def test_a_stream_is_read_from_its_beginning_and_every_frame_counted(serve, answer, scheme, count):
    sender = serve(TcpSender, [answer(40)], scheme)
    frames, _ = opened(f"{sender.address}")
    read = list(frames)
    assert numbers(read)[0] in (0, 1)
    assert increase([frame.time_s for frame in read])
    assert len(read) + frames.num_dropped == count  # RTSP's last frame would be completed by the next
    assert (frames.path, frames.promised, frames.rate) == (None, None, 25)


def test_late_frames_are_dropped_and_the_newest_is_read(serve):
    sender = serve(TcpSender, [stream_to_socket(60, real_time=True, rate=60)])
    frames, _ = opened(sender.address)
    read = []
    for frame in frames:
        read.append(frame)
        time.sleep(0.1)  # 6 frames come meanwhile
    seen = numbers(read)
    assert seen[-1] >= 58
    assert 6 <= len(seen) <= 20
    assert f"{len(seen)} frames read, {60 - len(seen)} dropped because they came faster" in frames.loss


def test_a_stream_that_keeps_up_loses_nothing(serve):
    sender = serve(HttpSender, {"/live": None})
    sender.paths["/live"] = chunked(20, real_time=True)
    frames, said = opened(f"{sender.address}/live")
    time.sleep(0.5)  # opening read some ahead
    assert len(list(frames)) + frames.num_dropped == 20
    assert said == []


def chunked(count, **settings):
    """Return a function that answers with a stream that ends properly."""

    def send(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        write_stream(lambda part: handler.wfile.write(b"%x\r\n%b\r\n" % (len(part), part)), count, **settings)
        handler.wfile.write(b"0\r\n\r\n")

    return send


def test_pictures_of_a_web_camera_have_the_times_of_their_arrival(serve):
    sender = serve(HttpSender, {"/video": send_jpegs(12, pause_s=0.1)})
    frames, _ = opened(f"{sender.address}/video", Patience(tries=0))
    times = [frame.time_s for frame in frames]
    assert 0.5 < times[-1] < 3  # 25 frames per second would be 0.44 s


def test_a_broken_stream_is_connected_again_and_its_times_go_on(serve):
    sender = serve(TcpSender, [stream_to_socket(20), stream_to_socket(20)])
    frames, said = opened(sender.address)
    read = list(frames)
    assert len(read) + frames.num_dropped == 40
    assert increase([frame.time_s for frame in read])
    assert sender.num_taken == 2
    assert said[0] == f"{sender.address} broke off: the sender closed it; connecting again in 0.05 s (1 of 2)"


def test_a_stream_that_stays_away_ends_with_what_was_read_and_growing_pauses(serve):
    sender = serve(TcpSender, [stream_to_socket(20)])
    frames, said = opened(sender.address, Patience(timeout_s=2, tries=3, first_pause_s=0.02))
    assert len(list(frames)) + frames.num_dropped == 20
    assert [line.partition("again in ")[2] for line in said[:3]] == [
        "0.02 s (1 of 3)",
        "0.04 s (2 of 3)",
        "0.08 s (3 of 3)",
    ]
    assert said[3] == f"{sender.address} has ended: Connection refused, after connecting again 3 times"
    assert "broken off once, given up: Connection refused, after connecting again 3 times" in frames.loss


def test_a_stream_that_breaks_again_and_again_ends(serve):
    sender = serve(HttpSender, {"/live": send_live(20)})
    frames, said = opened(f"{sender.address}/live")
    assert len(list(frames)) + frames.num_dropped == 57  # the last frame of each connection is cut off
    assert "has ended: it was cut off, after connecting again 2 times" in said[-1]


def test_a_connection_that_held_gives_all_tries_back(serve):
    sender = serve(TcpSender, [stream_to_socket(20)] * 6)
    frames, _ = opened(sender.address, Patience(timeout_s=2, tries=2, first_pause_s=0.01, steady_s=0))
    assert len(list(frames)) + frames.num_dropped == 120


def test_a_sender_that_falls_silent_is_given_up_after_the_time_limit(serve):
    def fall_silent(taken):
        write_stream(taken.sendall, 20)
        taken.recv(1)

    sender = serve(TcpSender, [fall_silent])
    frames, said = opened(sender.address, Patience(timeout_s=0.3, tries=1, first_pause_s=0.01))
    start = time.monotonic()
    assert list(frames)
    assert time.monotonic() - start < 3
    assert "broke off: no answer within 0.3 s" in said[0]


@pytest.mark.parametrize("scheme", ["http", "rtsp", "rtmp", "tcp"])
def test_a_server_that_never_answers_is_told_after_the_time_limit(serve, scheme):
    sender = serve(TcpSender, [lambda taken: taken.recv(10**6) and taken.recv(1)] * 3, scheme)
    start = time.monotonic()
    with pytest.raises(UserError, match=r"no answer within 0\.3 s"):
        opened(f"{sender.address}/x", Patience(timeout_s=0.3))
    assert time.monotonic() - start < 3


def test_a_stop_while_nothing_comes_ends_the_frames_at_once(serve):
    def fall_silent(taken):
        write_stream(taken.sendall, 60)
        taken.recv(1)

    sender = serve(TcpSender, [fall_silent])
    stop_s = time.monotonic() + 0.5
    frames, _ = opened(sender.address, Patience(timeout_s=30), stopped=lambda: time.monotonic() > stop_s)
    assert len(list(frames)) + frames.num_dropped >= 50
    assert time.monotonic() - stop_s < 3


def test_a_stop_while_connecting_gives_no_frames_and_no_error(serve):
    sender = serve(HttpSender, {"/x": silent})
    stop_s = time.monotonic() + 0.2
    frames, _ = opened(f"{sender.address}/x", Patience(timeout_s=30), stopped=lambda: time.monotonic() > stop_s)
    assert (list(frames), frames.loss) == ([], None)
    assert time.monotonic() - stop_s < 3


def test_a_reader_that_leaves_early_ends_the_thread(serve):
    sender = serve(TcpSender, [stream_to_socket(10_000)])
    frames, _ = opened(sender.address)
    before = set(threading.enumerate())
    reading = iter(frames)
    next(reading)
    assert set(threading.enumerate()) - before
    reading.close()
    assert not set(threading.enumerate()) - before


def test_memory_is_constant_over_five_thousand_frames(serve):
    sender = serve(TcpSender, [stream_to_socket(5_000)])
    frames, _ = opened(sender.address, Patience(timeout_s=5, tries=1, first_pause_s=0.01))
    early = None
    for index, frame in enumerate(frames):
        assert frame.image.shape == (24, 32, 3)
        if index + frames.num_dropped >= 500 and early is None:
            gc.collect()
            early = memory()
    assert index + 1 + frames.num_dropped == 5_000
    gc.collect()
    assert memory() - early < 6e6  # of the frames alone 10 MB


def memory():
    """Return the bytes of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()
