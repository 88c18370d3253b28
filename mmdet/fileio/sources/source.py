"""A video that a user named, and how its frames are opened, whatever it is."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmdet.fileio.pictures.video import VideoFile
from mmdet.fileio.sources.frame_source import FrameSource, ImageSequence, open_source
from mmdet.fileio.sources.senders.addresses import Address
from mmdet.fileio.sources.senders.connections import Connection, PyavConnection, open_camera
from mmdet.fileio.sources.senders.http_file import HttpFile, open_http_file
from mmdet.fileio.sources.senders.live import LiveFrames, LiveStream
from mmdet.fileio.sources.senders.remote import RemoteFrames, open_remote_file
from mmdet.fileio.sources.senders.waiting import Feed, Patience, Say, Stopped, in_background, never

_LOG = logging.getLogger(__name__)
_PATIENCE = Patience()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A video that a user named. `open` reads it."""

    text: str  # as given, an address without its password
    name: str  # for files that are written, unlike those of the other sources
    path: Path | None = None  # the file or folder (of the images of a pattern), None for a camera or an address
    is_live: bool = False  # whether frames come as they are taken, so that those not worked on in time are dropped
    images: tuple[Path, ...] = ()  # that a pattern chose from the folder `path`
    sender: int | Address | None = None  # the number of a camera, or an address
    notes: tuple[str, ...] = field(default=(), repr=False)  # what the user should know of how it was found

    def open(
        self, one_size: bool = False, stopped: Stopped = never, say: Say = _LOG.warning, patience: Patience = _PATIENCE
    ) -> FrameSource:
        """Return the frames. `one_size`: refuse images of different sizes first, by their headers.

        The rest is for cameras and addresses. `stopped`: asked ten times per second while nothing comes; True ends the
        frames without an error. `say`: told when a connection breaks and is made again. `patience`: time limits.
        Raises UserError with the reason if there is nothing to read.
        """
        if self.sender is not None:
            return _open_sender(self.sender, self.text, patience, stopped, say)
        assert self.path is not None
        if not self.images:
            return open_source(self.path, one_size, self.notes)
        sequence = ImageSequence(self.path, self.images, self.notes)
        if one_size:
            sequence.check_sizes()
        return sequence


def _open_sender(sender: int | Address, name: str, patience: Patience, stopped: Stopped, say: Say) -> FrameSource:
    """Connect to a camera or an address and find out whether a finite video or a live stream is sent."""
    if isinstance(sender, int):
        stream = LiveStream(name=name, connect=lambda limit_s: open_camera(sender, limit_s), may_end=False)
    else:
        stream = LiveStream(
            name=name, connect=lambda limit_s: PyavConnection(sender.open(limit_s), name), may_end=sender.is_http
        )

    def connect(feed: Feed[Any]) -> tuple[HttpFile | None, VideoFile | Connection]:
        if isinstance(sender, Address) and sender.is_http and (file := open_http_file(sender, patience, feed)):
            return file, open_remote_file(file, name)
        connection = stream.connect(patience.timeout_s)
        if stream.may_end and isinstance(connection, PyavConnection) and connection.is_finite:
            return None, VideoFile(connection.container, name)
        return None, connection

    file, opened = in_background(connect, stopped, say) or (None, None)
    if isinstance(opened, VideoFile):
        return RemoteFrames(opened, file, stopped, say)
    return LiveFrames(stream, opened, patience, stopped, say)
