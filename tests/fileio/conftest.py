"""Tiny videos of a moving square, made by PyAV in the ways of cameras, recorders and editors."""

from fractions import Fraction

import av
import numpy as np
import pytest

SIZE = (64, 96)
_INTERLACED = (1 << 18) | (1 << 29)  # of an encoder: interlaced transform and motion (FFmpeg's avcodec.h)


def scene(time, size=SIZE):
    """A green square on red, one pixel further each time; blue grows to the right."""
    image = np.zeros((*size, 3), np.uint8)
    image[..., 0], image[..., 2] = 200, np.linspace(0, 120, size[1])
    x = 4 + time % (size[1] - 36)
    image[16:48, x : x + 24] = (20, 220, 40)
    return image


class VideoMaker:
    """Writes videos into a folder."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, name, codec, pictures, pix="yuv420p", rate=25, times=None, cover=None, interlaced=None, **options):
        """Encode pictures; `times` in ms; `cover`: a picture before them, "marked" or "plain"; "tff" or "bff"."""
        path = self.folder / name
        with av.open(str(path), "w") as container:
            picture = self._add_cover(container, marked=cover == "marked") if cover else None
            stream = container.add_stream(codec, rate=rate)
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt, stream.options = pix, options
            tick = Fraction(1, 1000) if times else 1 / Fraction(rate)
            stream.codec_context.time_base = tick
            if interlaced:
                stream.codec_context.flags |= _INTERLACED
            if picture:
                frame = av.VideoFrame.from_ndarray(np.zeros((240, 320, 3), np.uint8), format="rgb24")
                container.mux(picture.encode(frame.reformat(format="yuvj420p")))
                container.mux(picture.encode())
            for index, image in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pix)
                frame.pts, frame.time_base = times[index] if times else index, tick
                container.mux(stream.encode(_marked(frame, interlaced) if interlaced else frame))
            container.mux(stream.encode())
        return path

    def moving(self, name, codec="libx264", count=12, size=SIZE, **settings):
        """Write `count` pictures of the square as it moves."""
        return self.write(name, codec, [scene(index, size) for index in range(count)], **settings)

    def several(self, name, sizes, count=12):
        """Write a file of the square in several streams, one a size."""
        path = self.folder / name
        with av.open(str(path), "w") as container:
            streams = [container.add_stream("libx264", rate=25) for _ in sizes]
            for stream, (height, width) in zip(streams, sizes, strict=True):
                stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
            for index in range(count):
                for stream, size in zip(streams, sizes, strict=True):
                    image = scene(index) if size == SIZE else np.zeros((*size, 3), np.uint8)
                    frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
                    container.mux(stream.encode(frame))
            for stream in streams:
                container.mux(stream.encode())
        return path

    def sound(self, name):
        """Write a file that has sound alone."""
        path = self.folder / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream("aac", rate=44100)
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
            frame.sample_rate = 44100
            container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    def _add_cover(self, container, marked):
        stream = container.add_stream("mjpeg", rate=1)
        stream.height, stream.width, stream.pix_fmt = 240, 320, "yuvj420p"
        stream.disposition = av.stream.Disposition.attached_pic if marked else 0
        return stream


def _marked(frame, order):
    """Mark a frame as interlaced: its top ("tff") or bottom field comes first."""
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    graph.link_nodes(source, graph.add("setfield", order), graph.add("buffersink")).configure()
    graph.push(frame)
    marked = graph.vpull()
    marked.pict_type = 0  # the encoder's choice
    return marked


@pytest.fixture
def videos(tmp_path):
    return VideoMaker(tmp_path)


@pytest.fixture(name="scene")
def scene_at():
    return scene
