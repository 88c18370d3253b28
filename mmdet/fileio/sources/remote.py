"""A finite video behind an address: no frame is lost. A thread reads ahead, so that a slow server holds up no stop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mmdet.fileio.pictures.video import TimedFrame, VideoFile
from mmdet.fileio.sources.waiting import Feed, Say, Stopped


class RemoteFrames:
    """The frames of a video that another machine sends, all of them."""

    path: Path | None = None

    def __init__(self, video: VideoFile, feed: Feed[TimedFrame], stopped: Stopped, say: Say) -> None:
        self._video, self._feed, self._stopped, self._say = video, feed, stopped, say
        self.rate, self.notes = video.rate, video.notes

    def __iter__(self) -> Iterator[TimedFrame]:
        return self._feed.read(self._fill, self._say, self._stopped)

    @property
    def promised(self) -> int | None:
        """Number of frames that the video states or that follows from its length; None without either."""
        return self._video.promised

    @property
    def loss(self) -> str | None:
        """What could not be read; None if nothing is missing."""
        return self._video.loss

    def _fill(self) -> None:
        for frame in self._video:
            self._feed.put(frame)
            if self._feed.closed:
                return
