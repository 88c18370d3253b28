"""Everything that a report page shows, as plain values: the page's script draws it, nothing is computed there.

Sequences by frame are 0-based frame indices of the video; polygons and boxes are in pixels of the page's pictures
(`Video.shown_size`), times in seconds, figures in [0, 1] unless their unit says otherwise. None stands for what is
not known: without ground truth there are no figures and no errors, without a training log no curves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from mmdet.structures import Size

Polygon = Sequence[int]  # x, y, x, y, ...; closed; holes are polygons of their own, filled by the even-odd rule
ErrorKind = Literal["missed", "false", "switched", "wrong_class"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number with its name as a person says it (`AP`, `HOTA`), its unit (`%`, `frames/s`, or none) and a note.

    `value` is in its unit: with `%` it lies in [0, 100]; without one, a fraction of 1 is shown as such.
    """

    name: str
    value: float | None
    unit: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A line of a chart. `group` names the chart, e.g. `losses`, `learning rate`, `validation`."""

    group: str
    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    x_label: str = "step"
    y_label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFigures:
    """What was reached on one category; counts are of shown tracks at IoU 0.5 (evaluation/diagnosis/confusion)."""

    name: str
    color: str  # #rrggbb
    ap: float | None
    ap50: float | None
    ap75: float | None
    ar: float | None  # of up to 100 tracks a video
    objects: int
    found: int
    as_other: int
    missed: int
    false: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdCurve:
    """Precision, recall and F1 over tracks at IoU 0.5 when only scores of at least each threshold are kept."""

    thresholds: Sequence[float]
    precision: Sequence[float]
    recall: Sequence[float]
    f1: Sequence[float]
    tracks: Sequence[int]  # kept
    suggested: float  # threshold of the best F1


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """counts[i][j]: true tracks of class i matched to shown predictions of class j.

    The last column are missed, the last row false ones, so both have one more than there are names.
    """

    names: Sequence[str]
    counts: Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waterfall:
    """AP, and what is gained when classes, tracking, masks, or all of them are made true (gains need not add up)."""

    ap: float
    gains: Mapping[str, float]
    remaining: float  # missed and false objects


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One set of results: what it reached on the whole data set and how it was made."""

    name: str
    about: Sequence[tuple[str, str]]  # label, text: config, checkpoint, versions, date, device
    commands: Sequence[str]  # to repeat it
    threshold: float  # tracks of at least this score are drawn and count in errors
    threshold_note: str  # where the threshold comes from
    headline: Sequence[Figure] = ()
    classes: Sequence[ClassFigures] = ()
    precision_recall: Sequence[Curve] = ()
    thresholds: ThresholdCurve | None = None
    confusion: Confusion | None = None
    occlusion: Sequence[Figure] = ()
    waterfall: Waterfall | None = None
    training: Sequence[Curve] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """A true or predicted track. The sequences run parallel to `frames`, those that show it."""

    track_id: int
    class_name: str
    color: str  # #rrggbb, the colour in pictures and videos
    score: float | None  # as the class that it is shown as; None for truth
    frames: Sequence[int]
    polygons: Sequence[Sequence[Polygon]]  # of each frame
    is_crowd: bool = False
    second: tuple[str, float] | None = None  # of a track written under several classes: the next one, and its score

    def to_json(self) -> dict[str, Any]:
        """Return the track as json content; unlike by `asdict` its many numbers are not copied."""
        return {own.name: getattr(self, own.name) for own in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorEvent:
    """An error that lasts from `first_frame` to `last_frame` (included).

    `truth`, `prediction`: indices into the video's truth and the model's tracks of what is concerned, None if nothing
    `weight`: how bad it is, the share of the video's pixels and frames that it spoils; the page sorts by it. Of a
        switch that is the smaller of what the tracks before and after it follow
    """

    kind: ErrorKind
    first_frame: int
    last_frame: int
    truth: int | None
    prediction: int | None
    weight: float
    text: str  # e.g. `ring 3 is missed`, `square 1 becomes track 7`


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoOfModel:
    """What one model made of one video."""

    # Fractions: AP, HOTA, IDF1; counts of masks: missed, false, wrong class; and switches. {} without truth.
    figures: Mapping[str, float | None]
    tracks: Sequence[Track]
    events: Sequence[ErrorEvent] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """One video: its pictures, its truth if there is one, and what each model made of it."""

    name: str
    size: Size  # of the frames
    shown_size: Size  # of the pictures on the page
    num_frames: int
    fps: float
    # One per frame: a data address (data:image/...) or a relative address beside the page, quoted as addresses are
    # (`my%20video/00000.jpg`); "" if the frame could not be read. A video whose player would make the page too large
    # has neither pictures nor tracks, but all figures and events.
    pictures: Sequence[str]
    truth: Sequence[Track] | None
    models: Sequence[VideoOfModel]  # parallel to Report.models

    def tracks(self) -> dict[str, Any]:
        """Return the true and predicted tracks as json content: what the page reads when the video is opened."""
        truth = None if self.truth is None else [track.to_json() for track in self.truth]
        return {"truth": truth, "models": [[track.to_json() for track in model.tracks] for model in self.models]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A page. One model, or two that are compared."""

    title: str
    made: str  # date and version, for the foot of the page
    models: Sequence[Model]
    videos: Sequence[Video]
    notes: Sequence[str] = field(default=())  # what the reader should know first, e.g. frames that could not be read

    def overview(self) -> dict[str, Any]:
        """Return all but pictures and tracks as json content: what the page reads at once.

        A video says whether it `has_player`, and if so how many tracks it has: `true_tracks` (None without truth) and,
        of each model, `num_tracks`.
        """
        plain = asdict(replace(self, videos=[_without_tracks(video) for video in self.videos]))
        for video, written in zip(self.videos, plain["videos"], strict=True):
            del written["pictures"], written["truth"]
            written["has_player"] = bool(video.pictures)
            written["true_tracks"] = None if video.truth is None else len(video.truth)
            for model, written_model in zip(video.models, written["models"], strict=True):
                del written_model["tracks"]
                written_model["num_tracks"] = len(model.tracks)
        return plain


def _without_tracks(video: Video) -> Video:
    """Return the video without what is large, because `asdict` copies every number of every polygon."""
    models = [replace(model, tracks=()) for model in video.models]
    return replace(video, pictures=(), truth=None, models=models)
