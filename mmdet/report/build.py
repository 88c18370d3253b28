"""Assemble a report: results and a data set in, the page's content out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from mmdet.ops.workers import in_processes
from mmdet.report.about import About, made_now
from mmdet.report.document import Curve, Figure, Model, Report, ThresholdCurve, Video, VideoOfModel
from mmdet.report.errors import VideoErrors
from mmdet.report.figures import ModelFigures, model_figures, threshold_curve
from mmdet.report.inputs import DataSet, Results, ShownVideo, shown_cases, track_numbers
from mmdet.report.pictures import PictureSettings, choose_settings
from mmdet.report.tracks import count_numbers
from mmdet.report.videos import DrawnVideo, ShownTracks, draw_video, hex_color, shown_tracks
from mmdet.structures.same_tracks import best_entries
from mmdet.visualization.colors import class_color

PAGE_BYTES = 40_000_000  # at most, so that browsers open it
OTHER_BYTES = 2_000_000  # of these, for figures, texts and the page itself
PICTURES_SHARE = 0.75  # of the rest; tracks take what is left
_BYTES_A_NUMBER = 4.5  # of a polygon
_EVENTS_SHOWN = 300  # of one video and model: the worst
_MOST_NOTES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInput:
    """One set of results, and what is known of it."""

    results: Results
    about: About = About()
    training: tuple[Curve, ...] = ()
    threshold: float | None = None  # None: that of the best F1, without a truth `fallback`
    threshold_note: str = "given"
    fallback: tuple[float, str] = (0.0, "all tracks of the file")


@dataclass(frozen=True, slots=True, kw_only=True)
class _JudgedModel:
    """All that is known of a model before pictures are made, parallel to the videos."""

    model: Model
    figures: ModelFigures | None
    tracks: tuple[ShownTracks, ...]
    errors: tuple[VideoErrors | None, ...]
    notes: tuple[str, ...]


def build_report(
    data: DataSet, models: Sequence[ModelInput], title: str, workers: int = 1, page_bytes: int = PAGE_BYTES
) -> Report:
    """Return the report of one model, or of several side by side.

    `page_bytes`: pictures are made so small, and players left out, that the page takes at most about as many
    Raises UserError for results and data that do not belong together, and as `evaluate` does.
    """
    judged = [_judge(data, model, workers) for model in models]
    room = max(page_bytes - OTHER_BYTES, 0)
    order = _worst_first(data, judged)
    settings, size = choose_settings(data.videos, data.image_folder, int(PICTURES_SHARE * room))
    order = _fitting(order, data, size, PICTURES_SHARE * room)
    tasks = [(data.videos[i], tuple(model.tracks[i] for model in judged)) for i in order]
    draw = partial(_draw, settings=settings, image_folder=data.image_folder)
    drawn = dict(zip(order, in_processes(draw, tasks, workers, __name__), strict=True))
    kept = _within(drawn, room)
    notes = list(dict.fromkeys(note for model in judged for note in model.notes))
    return Report(
        title=title,
        made=made_now(),
        models=[model.model for model in judged],
        videos=[_video(data, judged, i, kept.get(i), settings) for i in range(len(data.videos))],
        notes=[*_picture_notes(data, kept), *_shortened(notes)],
    )


def _shortened(notes: Sequence[str]) -> list[str]:
    more = len(notes) - _MOST_NOTES
    return [*notes[:_MOST_NOTES], *([f"and {more} more such notes"] if more > 0 else [])]


def _judge(data: DataSet, given: ModelInput, workers: int) -> _JudgedModel:
    """Measure one model."""
    entries = given.results.entries
    _, cases, notes = shown_cases(data, given.results)
    by_id = {case.video_id: case for case in cases}
    curve = threshold_curve(data.raw, entries) if data.has_truth else None
    threshold, note = _threshold(given, curve, data.has_truth)
    colors = {category_id: hex_color(class_color(label)) for category_id, label in data.labels.items()}
    figures = model_figures(data.raw, entries, threshold, colors, workers) if data.has_truth else None
    numbers = track_numbers(entries)
    tracks = [shown_tracks(by_id[video.video_id], threshold, numbers, data.class_names) for video in data.videos]
    errors = in_processes(partial(_errors, has_truth=data.has_truth), tracks, workers, __name__)
    model = Model(
        name=given.results.name,
        about=given.about.lines,
        commands=given.about.commands,
        threshold=threshold,
        threshold_note=note,
        headline=_headline(figures, tracks, errors, entries),
        thresholds=curve,
        training=given.training,
    )
    if figures is not None:
        model = replace(
            model,
            classes=figures.classes,
            precision_recall=figures.precision_recall,
            confusion=figures.confusion,
            occlusion=figures.occlusion,
            waterfall=figures.waterfall,
        )
    return _JudgedModel(
        model=model,
        figures=figures,
        tracks=tuple(tracks),
        errors=tuple(errors),
        notes=figures.notes if figures is not None else tuple(notes),
    )


def _threshold(given: ModelInput, curve: ThresholdCurve | None, has_truth: bool) -> tuple[float, str]:
    if given.threshold is not None:
        return given.threshold, given.threshold_note
    if curve is not None:
        return curve.suggested, "the best F1 over tracks at IoU 0.5 on this truth"
    threshold, note = given.fallback
    return threshold, f"no track matches an object; {note}" if has_truth else note


def _headline(
    figures: ModelFigures | None,
    tracks: Sequence[ShownTracks],
    errors: Sequence[VideoErrors | None],
    entries: Sequence[Mapping[str, Any]],
) -> tuple[Figure, ...]:
    written = len(set(best_entries(entries)))
    text = f"of all {written} tracks, one for each class that a track may be; AP takes all"
    several = (Figure(name="entries", value=len(entries), note=text),) if written < len(entries) else ()
    if figures is None:
        count = sum(len(own.case.results) for own in tracks)
        return (Figure(name="tracks", value=count, note="shown"), *several, Figure(name="videos", value=len(tracks)))
    switches = sum(own.switches for own in errors if own is not None)
    switched = Figure(name="switches", value=switches, note="objects that go on under another track id")
    return (*figures.headline, *several, switched)


def _errors(tracks: ShownTracks, has_truth: bool) -> VideoErrors | None:
    return tracks.errors(has_truth)


def _draw(
    task: tuple[ShownVideo, Sequence[ShownTracks]], settings: PictureSettings, image_folder: str | None
) -> DrawnVideo:
    return draw_video(*task, settings, image_folder)


def _worst_first(data: DataSet, judged: Sequence[_JudgedModel]) -> list[int]:
    """Return the indices of the videos by the weight of their errors; without a truth in the order of the file."""

    def weight(index: int) -> float:
        own = (model.errors[index] for model in judged)
        return sum(event.weight for errors in own if errors is not None for event in errors.events)

    return sorted(range(len(data.videos)), key=lambda index: -weight(index))


def _fitting(order: Sequence[int], data: DataSet, size: float, limit: float) -> list[int]:
    """Return the first of the videos, at least one, whose pictures fit if those of all take `size` bytes."""
    per_frame = size / max(sum(video.num_frames for video in data.videos), 1)
    kept: list[int] = []
    total = 0.0
    for index in order:
        total += per_frame * data.videos[index].num_frames
        if kept and total > limit:
            break
        kept.append(index)
    return kept


def _within(drawn: dict[int, DrawnVideo], room: float) -> dict[int, DrawnVideo]:
    """Return the first of the drawn videos that fit, without the pictures of what alone would not."""
    kept: dict[int, DrawnVideo] = {}
    total = 0.0
    for index, video in drawn.items():
        tracks = _BYTES_A_NUMBER * sum(count_numbers(own) for own in (video.truth, *video.models))
        size = tracks + sum(map(len, video.pictures))
        if total + size > room:
            if kept:
                break
            video = replace(video, pictures=_every_nth(video.pictures, max(room - tracks, 0)))
        kept[index] = video
        total += size
    return kept


def _every_nth(pictures: Sequence[str], room: float) -> tuple[str, ...]:
    """Return the pictures with as many left out, evenly, as makes the others fit."""
    step = 1 + int(sum(map(len, pictures)) // max(room, 1))
    return tuple(picture if index % step == 0 else "" for index, picture in enumerate(pictures))


def _video(
    data: DataSet, judged: Sequence[_JudgedModel], index: int, drawn: DrawnVideo | None, settings: PictureSettings
) -> Video:
    """Return a video of the page; one without a player has no tracks and no pictures."""
    video = data.videos[index]
    truth = () if drawn is None else drawn.truth
    return Video(
        name=video.name,
        size=video.size,
        shown_size=settings.shown_size(video.size),
        num_frames=video.num_frames,
        fps=video.fps,
        pictures=() if drawn is None else drawn.pictures,
        truth=truth if data.has_truth else None,
        models=[
            VideoOfModel(
                figures=_video_figures(model, index, video.video_id),
                tracks=() if drawn is None else drawn.models[place],
                events=() if (own := model.errors[index]) is None else own.events[:_EVENTS_SHOWN],
            )
            for place, model in enumerate(judged)
        ],
    )


def _video_figures(model: _JudgedModel, index: int, video_id: int) -> dict[str, float | None]:
    errors = model.errors[index]
    if model.figures is None or errors is None:
        return {}
    counts = {"switches": errors.switches, "missed": errors.missed, "false": errors.false}
    return {**model.figures.per_video[video_id], **counts, "wrong class": errors.wrong_class}


def _picture_notes(data: DataSet, kept: dict[int, DrawnVideo]) -> list[str]:
    """Return notes about frames that could not be read and videos that have no player."""
    notes = []
    faults = [fault for video in kept.values() for fault in video.faults]
    frames = sum(data.videos[index].num_frames for index in kept)
    left_out = sum(picture == "" for video in kept.values() for picture in video.pictures) - len(faults)
    if left_out > 0:
        notes.append(f"{left_out} of {frames} frames have no picture: they would make the page too large")
    if faults:
        notes.append(f"{len(faults)} of {frames} frames have no picture: {faults[0]}")
    if len(kept) < len(data.videos):
        which = "with the worst errors" if data.has_truth else "that come first"
        notes.append(
            f"{len(kept)} of {len(data.videos)} videos have a player, those {which}: more would make the page too "
            "large; figures and errors are those of all videos"
        )
    return notes
