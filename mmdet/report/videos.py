"""One video of a report: the errors of each model in it, then its tracks as polygons and its pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mmdet.evaluation.tracks.cases import AnyTrack, ResultTrack, VideoCase, one_per_track
from mmdet.evaluation.tracks.mask_tracks import MaskTrack, read_masks_of
from mmdet.evaluation.tracks.overlaps import overlaps_of
from mmdet.report.document import Track
from mmdet.report.errors import TrackNames, VideoErrors, find_errors
from mmdet.report.inputs import ShownVideo
from mmdet.report.pictures import PictureSettings, encode, read_frames
from mmdet.report.tracks import Look, draw_track
from mmdet.visualization.colors import Color, track_color


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownTracks:
    """What one model made of a video: its case with the tracks that are shown, and the ids of its results."""

    case: VideoCase  # of its results those of at least the threshold; all tracks have a mask in some frame
    track_ids: Sequence[int]  # parallel to `case.results`
    other_classes: Sequence[Sequence[tuple[str, float]]]  # of each result: what else its track may be, best first
    class_names: Mapping[int, str]  # by category id

    def errors(self, has_truth: bool) -> VideoErrors | None:
        """Return what is wrong with the tracks, None without a truth. Raises UserError for a malformed mask."""
        if not has_truth:
            return None
        masks = read_masks_of(self.case, [*self.case.results, *self.case.truths], compiled=False)
        return find_errors(self.case, overlaps_of(masks, len(self.case.results)), self._names())

    def _names(self) -> TrackNames:
        return TrackNames(
            true_names=[f"{self.class_names[t.category_id]} {i}" for i, t in enumerate(self.case.truths)],
            track_ids=self.track_ids,
            class_names=[self.class_names[result.category_id] for result in self.case.results],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnVideo:
    """The large parts of a video on the page, and which frames could not be read."""

    pictures: tuple[str, ...]
    truth: tuple[Track, ...]
    models: tuple[tuple[Track, ...], ...]
    faults: tuple[str, ...]  # why frames could not be read, one for each


def shown_tracks(
    case: VideoCase, threshold: float, numbers: Sequence[int], class_names: Mapping[int, str]
) -> ShownTracks:
    """Return the tracks of a case that are shown, each once, as its best class.

    `numbers` are the ids of all results of the file.
    """
    results = tuple(result for result in one_per_track(case, threshold).results if _is_seen(result, case))
    truths = tuple(truth for truth in case.truths if _is_seen(truth, case))
    others: dict[int, list[ResultTrack]] = defaultdict(list)
    for result in sorted(case.results, key=lambda result: -result.score):
        if not result.is_best:
            others[result.best_position].append(result)
    return ShownTracks(
        case=replace(case, results=results, truths=truths),
        track_ids=[numbers[result.position] for result in results],
        other_classes=[
            [(class_names[other.category_id], other.score) for other in others[result.position]] for result in results
        ],
        class_names=class_names,
    )


def draw_video(
    video: ShownVideo, models: Sequence[ShownTracks], settings: PictureSettings, image_folder: str | None
) -> DrawnVideo:
    """Return the tracks and pictures of a video; models have the same truth."""
    pictures, faults = [], []
    for frame in read_frames(video, image_folder):
        pictures.append("" if isinstance(frame, str) else encode(frame, settings))
        if isinstance(frame, str):
            faults.append(frame)
    return DrawnVideo(
        pictures=tuple(pictures),
        truth=_drawn(models[0], models[0].case.truths, video, settings),
        models=tuple(_drawn(model, model.case.results, video, settings) for model in models),
        faults=tuple(faults),
    )


def hex_color(color: Color) -> str:
    """Return #rrggbb."""
    return "#" + "".join(f"{part:02x}" for part in color)


def _is_seen(track: AnyTrack, case: VideoCase) -> bool:
    return any(track.segmentations[: case.num_frames])


def _drawn(
    model: ShownTracks, tracks: Sequence[AnyTrack], video: ShownVideo, settings: PictureSettings
) -> tuple[Track, ...]:
    masks: list[MaskTrack] = read_masks_of(model.case, tracks)
    shown_size = settings.shown_size(video.size)
    return tuple(
        draw_track(own, video.size, shown_size, video.num_frames, _look(model, track, index))
        for index, (track, own) in enumerate(zip(tracks, masks, strict=True))
    )


def _look(model: ShownTracks, track: AnyTrack, index: int) -> Look:
    more: dict[str, Any] = {"track_id": index, "score": None, "is_crowd": False}
    if isinstance(track, ResultTrack):
        others = model.other_classes[index]
        more |= {"track_id": model.track_ids[index], "score": track.score, "second": others[0] if others else None}
    else:
        more |= {"is_crowd": track.is_crowd}
    color = hex_color(track_color(more["track_id"]))
    return Look(class_name=model.class_names[track.category_id], color=color, **more)
