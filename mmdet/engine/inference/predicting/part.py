"""One set of files: all frames of a source, or those of a stretch of a live one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from mmdet.engine.inference.predicting.drawer import Drawer, style_of
from mmdet.engine.inference.predicting.model import PredictModel
from mmdet.engine.inference.predicting.names import files_of, record_path
from mmdet.engine.inference.predicting.options import PredictOptions
from mmdet.engine.inference.predicting.outputs.drawn import FramesSink, VideoSink
from mmdet.engine.inference.predicting.outputs.masks import MasksSink
from mmdet.engine.inference.predicting.outputs.objects import CropsSink, CutoutSink
from mmdet.engine.inference.predicting.outputs.place import Place
from mmdet.engine.inference.predicting.outputs.sink import PredictedFrame, ShownObject, Sink, VideoStart
from mmdet.engine.inference.predicting.outputs.tables import CocoSink, CsvSink
from mmdet.engine.inference.predicting.window import Window
from mmdet.engine.inference.tracks import Tracks
from mmdet.fileio.pictures.video import TimedFrame
from mmdet.fileio.results.predictions import PredictedVideo, read_info, write_predictions
from mmdet.fileio.sources.source import Source
from mmdet.structures import PerFrame, Size, TrackTube, VideoResult

SINKS: dict[str, Callable[[str], Sink]] = {
    "video": VideoSink,
    "frames": FramesSink,
    "masks": MasksSink,
    "crops": CropsSink,
    "coco": CocoSink,
    "csv": CsvSink,
    "cutout": CutoutSink,
}
_DRAWN, _OF_OBJECTS = {"video", "frames"}, {"masks", "crops", "cutout"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceEnd:
    """How the reading of a source went."""

    promised: int | None
    complete: bool
    dropped: int
    start_s: float  # time of the first used frame in the source


class Part:
    """The outputs of consecutive frames of a source under one name."""

    def __init__(
        self,
        options: PredictOptions,
        model: PredictModel,
        source: Source,
        name: str,
        size: Size,
        rate: Fraction,
        info: dict[str, Any],
        window: Window | None = None,
    ) -> None:
        self._options, self._model, self._source, self.name, self._info = options, model, source, name, info
        self._source_rate = rate
        self._rate = Fraction(options.fps).limit_denominator(1001) if options.fps else rate  # of the mp4
        self._drawer, self._window = Drawer(style_of(options), size), window
        sinks: list[Sink] = [SINKS[kind](name) for kind in options.save if kind in SINKS]
        self.place = Place(options.out, name, sinks)
        self.place.open(VideoStart(size=size, picture_size=self._drawer.picture_size, rate=self._rate))
        self._draws = window is not None or bool(_DRAWN.intersection(options.save))
        self._shows_objects = bool(_OF_OBJECTS.intersection(options.save))
        self.times_s: list[float] = []  # since the first used frame of the source
        self._names: list[str] = []
        self.num_tracks = 0
        self.wants_more = True  # whether the user has not closed the window

    def add(self, frame: TimedFrame, tracks: Tracks) -> None:
        """Draw and write the next frame."""
        index = len(self.times_s)
        first_s = self.times_s[0] if index else frame.time_s
        shown = self._model.shown(tracks)
        picture = self._drawer.draw(frame.image, shown) if self._draws else None
        self.place.add(
            PredictedFrame(
                index=index,
                time_s=float(index / self._rate) if self._options.fps else frame.time_s - first_s,
                image=frame.image,
                objects=shown_objects(shown) if self._shows_objects else (),
                picture=picture,
            )
        )
        if self._window is not None and picture is not None:
            self.wants_more = self._window.show(picture)
        self.times_s.append(frame.time_s)
        self._names.append(self._file_name(frame, index))

    @property
    def length_s(self) -> float:
        """Seconds from the first to the last frame."""
        return self.times_s[-1] - self.times_s[0] if self.times_s else 0.0

    def finish(self, result: VideoResult, end: SourceEnd) -> None:
        """Write everything to the end. Raises what could not be written, after the rest is in its place."""
        video = PredictedVideo(
            name=self.name,
            source=self._source.text if self._source.path is None else str(self._source.path.resolve()),
            rate=float(self._source_rate),
            times_s=[time_s + end.start_s for time_s in self.times_s],
            file_names=self._names,
            promised=end.promised,
            complete=end.complete,
            dropped=end.dropped,
            class_names=self._model.predictor.class_names,
            category_ids=self._model.predictor.category_ids,
            result=first_frames(result, len(self.times_s)),
        ).keeping(self._model.threshold, self._model.labels)
        self.num_tracks = len(video.result.tubes)
        out = self._options.out
        files = [str(sink.path) for sink in self.place.sinks]
        older = files_of(read_info(record_path(out, self.name)) or {})
        info = {
            **self._info,
            "complete": end.complete,
            "files": files,
            "older_files": [file for file in dict.fromkeys(older) if file not in files and (out / file).exists()],
        }
        with_tracks = "json" in self._options.save
        self.place.finish(video, partial(write_predictions, info=info, video=video, with_tracks=with_tracks))

    def discard(self) -> None:
        """Remove what is unfinished."""
        self.place.discard()

    def _file_name(self, frame: TimedFrame, index: int) -> str:
        """Return the frame's name: of an image that with its folder, of a video's frame NAME/00000.jpg."""
        path = self._source.path
        if path is not None and path.is_dir():
            return f"{path.resolve().name}/{Path(frame.name).name}"
        if path is not None and frame.name == str(path):
            return path.name
        return f"{self.name}/{index:05d}.jpg"


def shown_objects(tracks: Tracks) -> tuple[ShownObject, ...]:
    """Return the objects of a frame on the host, best first."""
    rows = tracks.track_scores.argsort(descending=True, stable=True)
    values = tracks[rows].numpy()
    return tuple(
        ShownObject(
            track_id=int(values["track_ids"][row]),
            label=int(values["track_labels"][row]),
            score=float(values["track_scores"][row]),
            box=tuple(values["boxes"][row].tolist()),
            mask=values["masks"][row],
        )
        for row in range(len(rows))
    )


def first_frames(result: VideoResult, count: int) -> VideoResult:
    """Return the result of the first `count` frames: an error may have come before all tracked ones were written."""
    if result.num_frames == count:
        return result
    tubes = [_cut(tube, count) for tube in result.tubes]
    return replace(result, num_frames=count, tubes=tuple(tube for tube in tubes if any(tube.segmentations)))


def _cut(tube: TrackTube, count: int) -> TrackTube:
    def first(values: Any) -> Any:
        frames = tuple(frame for frame in values.frames if frame < count)
        return PerFrame(count, frames, values.values[: len(frames)])

    return replace(
        tube,
        segmentations=first(tube.segmentations),
        boxes=first(tube.boxes),
        labels=first(tube.labels),
        scores=first(tube.scores),
    )
