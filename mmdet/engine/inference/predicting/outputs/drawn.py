"""The drawn video, NAME.mp4, and the drawn frames, NAME/frames/00000.jpg."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from mmdet.engine.inference.predicting.outputs.sink import PredictedFrame, VideoStart, frame_name, write_file
from mmdet.fileio.pictures.drawn_jpeg import encode_drawing
from mmdet.fileio.results.predictions import PredictedVideo
from mmdet.visualization.draw import Picture
from mmdet.visualization.mp4 import Append, open_mp4

_JPEG_QUALITY = 92


class VideoSink:
    """An H.264 mp4 with the times of the frames."""

    def __init__(self, name: str) -> None:
        self.path = Path(f"{name}.mp4")
        self._file = Path()
        self._context = ExitStack()
        self._append: Append | None = None

    def open(self, folder: Path, start: VideoStart) -> None:
        """Open the mp4."""
        self._file = folder / self.path
        self._append = self._context.enter_context(open_mp4(self._file, start.picture_size, start.rate))

    def add(self, frame: PredictedFrame) -> None:
        """Append the picture. An mp4 that cannot be written to its end has no index: it is then removed."""
        if self._append is None:
            return
        try:
            self._append(drawn(frame), frame.time_s)
        except OSError:
            self._append = None
            self._file.unlink(missing_ok=True)
            raise

    def finish(self, video: PredictedVideo) -> None:
        """Close the mp4."""
        try:
            self._context.close()
        except OSError:
            self._file.unlink(missing_ok=True)
            raise


class FramesSink:
    """One JPEG per frame, marked as a drawing of this program."""

    def __init__(self, name: str) -> None:
        self.path = Path(name) / "frames"
        self._folder = Path()

    def open(self, folder: Path, start: VideoStart) -> None:
        """Note the folder."""
        self._folder = folder / self.path

    def add(self, frame: PredictedFrame) -> None:
        """Write the picture."""
        write_file(self._folder / frame_name(frame.index, ".jpg"), encode_drawing(drawn(frame), _JPEG_QUALITY))

    def finish(self, video: PredictedVideo) -> None:
        """Do nothing: every picture is complete."""


def drawn(frame: PredictedFrame) -> Picture:
    """Return the picture of a frame. Raises ValueError if it was not drawn."""
    if frame.picture is None:
        raise ValueError(f"frame {frame.index} was not drawn: a writer needs its picture")
    return frame.picture
