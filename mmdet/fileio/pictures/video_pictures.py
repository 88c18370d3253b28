"""From decoded frames to pictures: deinterlaced, in RGB, upright."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av
import numpy as np
from av.filter import Graph
from av.video.reformatter import Colorspace

from mmdet.fileio.pictures.image_decoding import turned
from mmdet.fileio.pictures.video_streams import DEFAULT_RATE

_HD_LINES = 720  # video of at least this height that does not state its colours is BT.709, below it BT.601
_UNSPECIFIED = 2  # code of an unknown colour space (ITU-T H.273)
_MATRIX = np.dtype(np.int32)  # the display matrix: 3 x 3 numbers, row by row


def progressive(frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Deinterlace from the first interlaced frame on; other frames pass through unchanged."""
    graph, kind = None, None
    for frame in frames:
        own = (frame.width, frame.height, frame.format.name, frame.time_base)
        if graph is not None and own != kind:
            yield from _pulled(graph, at_end=True)
            graph = None
        if graph is None and frame.interlaced_frame:
            graph, kind = _deinterlacer(frame), own
        if graph is None:
            yield frame
        else:
            graph.push(frame)
            yield from _pulled(graph)
    if graph is not None:
        yield from _pulled(graph, at_end=True)


def _deinterlacer(frame: av.VideoFrame) -> Graph:
    """Return FFmpeg's bwdif filter: one picture per frame; it changes only frames that are marked as interlaced."""
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or 1 / DEFAULT_RATE
    )
    nodes = source, graph.add("bwdif", "mode=send_frame:parity=auto:deint=interlaced"), graph.add("buffersink")
    graph.link_nodes(*nodes).configure()
    return graph


def _pulled(graph: Graph, at_end: bool = False) -> Iterator[av.VideoFrame]:
    if at_end:
        graph.push(None)
    while True:
        try:
            yield graph.vpull()
        except (BlockingIOError, EOFError):
            return


def _rgb(frame: av.VideoFrame) -> np.ndarray:
    """Convert to RGB by the colour space that the frame states."""
    untold = frame.colorspace == _UNSPECIFIED and not frame.format.is_rgb
    source = Colorspace.ITU709 if untold and frame.height >= _HD_LINES else None
    return frame.reformat(format="rgb24", src_colorspace=source).to_ndarray()


class Upright:
    """Makes frames RGB pictures (H, W, 3) uint8 that are upright by their display matrix.

    The matrix is read only when the rotation changes: reading a frame's side data makes a reference cycle, so the frame
    stays in memory until Python's collector runs, hundreds of frames later.
    """

    def __init__(self) -> None:
        self._rotation: int | None = None
        self._turn = (False, False, False)

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        """Return the picture of a frame."""
        image = _rgb(frame)
        if frame.rotation != self._rotation:
            self._rotation, self._turn = frame.rotation, _turn(frame)
        return np.ascontiguousarray(turned(image, *self._turn)) if any(self._turn) else image


def _turn(frame: av.VideoFrame) -> tuple[bool, bool, bool]:
    """Return (swap axes, reverse rows, reverse columns) from a frame's display matrix."""
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False, False, False
    across, down = np.frombuffer(bytes(matrix), _MATRIX).reshape(3, 3)[:2, :2].tolist()  # the directions of x and y
    if abs(across[0]) < abs(across[1]):
        return True, across[1] < 0, down[0] < 0
    return False, down[1] < 0, across[0] < 0
