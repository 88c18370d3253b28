"""Servers on 127.0.0.1 that send videos: files over HTTP, and streams without end over HTTP, TCP and RTSP."""

import io
import re
import socket
import struct
import threading
import time
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import av
import numpy as np
from PIL import Image

_TS_PACKET = 188
_RTP = struct.Struct(">BBHII")


class HttpSender:
    """Serves what `paths` hold: bytes of a finite file, or a function that writes to a connection."""

    def __init__(self, paths):
        self.paths = paths
        self.requests = []  # (path, headers)
        sender = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                sender.requests.append((self.path, dict(self.headers)))
                content = sender.paths.get(self.path)
                with suppress(OSError):
                    if content is None:
                        self.send_error(404)
                    elif callable(content):
                        content(self)
                    else:
                        send_part(self, content)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


def send_part(handler, content, most=None, pause_s=0.0):
    """Answer with the asked part of a file; end the connection behind `most` bytes; pause between pieces."""
    asked = re.match(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    start = int(asked[1]) if asked else 0
    handler.send_response(206 if asked else 200)
    handler.send_header("Accept-Ranges", "bytes")
    handler.send_header("Content-Length", str(len(content) - start))
    if asked:
        handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    handler.end_headers()
    part = content[start:][:most]
    for place in range(0, len(part), 4096):
        handler.wfile.write(part[place : place + 4096])
        time.sleep(pause_s)
    if most is not None:
        handler.close_connection = True


def send_live(count, **settings):
    """Return a function that answers with `count` frames of a stream that has no length, then breaks off."""

    def send(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "video/mp2t")
        handler.end_headers()
        write_stream(handler.wfile.write, count, **settings)
        handler.close_connection = True

    return send


def send_jpegs(count, pause_s):
    """Return a function that answers as web cameras do: JPEGs one after the other, without times, then breaks off."""
    picture = io.BytesIO()
    Image.fromarray(np.zeros((24, 32, 3), np.uint8)).save(picture, "JPEG")
    part = b"--x\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n"

    def send(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=x")
        handler.end_headers()
        for _ in range(count):
            handler.wfile.write(part % (len(picture.getvalue()), picture.getvalue()))
            time.sleep(pause_s)
        handler.close_connection = True

    return send


def silent(handler):
    """Never answer."""
    with suppress(OSError):
        handler.connection.recv(1)


class _Writer:
    """A file that PyAV writes to; `is_gone` once the other side has left."""

    def __init__(self, write):
        self._write, self.is_gone = write, False

    def write(self, data):
        try:
            self._write(bytes(data))
        except OSError:
            self.is_gone = True
        return len(data)


def write_stream(write, count, first=0, rate=25, real_time=False, size=(24, 32), codec="mpeg2video"):
    """Write MPEG-TS whose frame number n has the brightness 4 * n, counted from `first`."""
    writer = _Writer(write)
    with av.open(writer, "w", format="mpegts") as container:
        stream = container.add_stream(codec, rate=rate, options={"g": "5", "bf": "0"})
        stream.height, stream.width = size
        start = time.monotonic()
        for index in range(first, first + count):
            image = np.full((*size, 3), 4 * index % 256, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
            frame.pts = index
            container.mux(stream.encode(frame))
            if writer.is_gone:
                break
            if real_time:
                time.sleep(max(0, start + (index - first + 1) / rate - time.monotonic()))
        container.mux(stream.encode())


class TcpSender:
    """Takes one connection after the other and calls the next of `answers` with its socket, then closes it."""

    def __init__(self, answers, scheme="tcp"):
        self._answers = list(answers)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.num_taken = 0
        self.address = f"{scheme}://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        for answer in self._answers:
            try:
                taken, _ = self._socket.accept()
            except OSError:
                return
            self.num_taken += 1
            with closing(taken), suppress(OSError):
                answer(taken)
        self._socket.close()

    def close(self):
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def stream_to_socket(count, **settings):
    """Return an answer that sends `count` frames."""
    return lambda taken: write_stream(taken.sendall, count, **settings)


def rtsp(count, **settings):
    """Return an answer that speaks RTSP and sends `count` frames as MPEG-TS in RTP between its answers (RFC 2326)."""

    def answer(taken):
        requests = taken.makefile("rb")
        while (method := _answer_request(requests, taken)) not in ("PLAY", ""):
            pass
        sequence, waiting = 0, b""

        def write(data):
            nonlocal sequence, waiting
            waiting += data
            while len(waiting) >= _TS_PACKET:
                part, waiting = waiting[: 7 * _TS_PACKET], waiting[7 * _TS_PACKET :]
                packet = _RTP.pack(0x80, 33, sequence % 65536, sequence * 90, 1) + part
                taken.sendall(b"$\0" + struct.pack(">H", len(packet)) + packet)
                sequence += 1

        if method:
            write_stream(write, count, **settings)

    return answer


def _answer_request(requests, taken):
    head = [line.decode().strip() for line in iter(requests.readline, b"\r\n") if line]
    if not head:
        return ""
    method = head[0].split()[0]
    number = next(line.split(":")[1].strip() for line in head if line.lower().startswith("cseq"))
    lines, body = [f"CSeq: {number}", "Session: 1"], ""
    if method == "DESCRIBE":
        body = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:track1\r\n"
        lines += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
    elif method == "SETUP":
        lines.append("Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
    elif method == "OPTIONS":
        lines.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
    taken.sendall(("RTSP/1.0 200 OK\r\n" + "\r\n".join(lines) + "\r\n\r\n" + body).encode())
    return method
