"""A finite video behind an address: no frame is lost. A thread reads ahead, so that a slow server holds up no stop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from av.error import FFmpegError

from mmdet.errors import UserError
from mmdet.fileio.pictures.containers import open_container
from mmdet.fileio.pictures.video import VIDEO_FORMATS, TimedFrame, VideoFile
from mmdet.fileio.pictures.video_faults import HEAD, why_no_video_in
from mmdet.fileio.sources.senders.http_file import HttpFile
from mmdet.fileio.sources.senders.waiting import Feed, Say, Stopped


class RemoteFrames:
    """The frames of a video that another machine sends, all of them. `file`: how it comes, if not by FFmpeg."""

    path: Path | None = None

    def __init__(self, video: VideoFile, file: HttpFile | None, stopped: Stopped, say: Say) -> None:
        self._video, self._file, self._stopped, self._say = video, file, stopped, say
        self._feed: Feed[TimedFrame] = Feed(newest=False)
        self.rate, self.notes = video.rate, video.notes

    def __iter__(self) -> Iterator[TimedFrame]:
        if self._file is not None:
            self._file.feed = self._feed
        return self._feed.read(self._fill, self._say, self._stopped)

    @property
    def promised(self) -> int | None:
        """Number of frames that the video states or that follows from its length; None without either."""
        return self._video.promised

    @property
    def loss(self) -> str | None:
        """What could not be read; None if nothing is missing."""
        end = self._file.end if self._file is not None else None
        return f"{self._video.loss} ({end})" if self._video.loss and end else self._video.loss

    def _fill(self) -> None:
        for frame in self._video:
            self._feed.put(frame)
            if self._feed.closed:
                return


def open_remote_file(file: HttpFile, name: str) -> VideoFile:
    """Return the frames of a file that a server sends. Raises UserError if it is no video."""
    options = {"format_whitelist": VIDEO_FORMATS, "protocol_whitelist": "none"}
    try:
        container = open_container(file, options=options)
    except (FFmpegError, OSError, ValueError) as error:
        if file.end is not None:
            raise UserError(f"{name}: {file.end}") from error
        file.seek(0)
        raise UserError(why_no_video_in(_head_of(file), name, error)) from error
    return VideoFile(container, name)


def _head_of(file: HttpFile) -> bytes:
    head = b""
    while len(head) < HEAD and (part := file.read(HEAD - len(head))):
        head += part
    return head
