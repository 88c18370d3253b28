"""Read BURST: a json of sequences whose masks are listed for the annotated frames, about one a second.

Source: docs/convert/burst.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdet.datasets.converting.conversion import Conversion, ConvertRequest
from mmdet.datasets.converting.published_sets.collected import Collected
from mmdet.datasets.converting.published_sets.layout import (
    IMAGE_FOLDERS,
    FrameFolder,
    as_given,
    find_frame_folder,
    has_its_frames,
    wanted_videos,
)
from mmdet.errors import UserError, short_list, shown
from mmdet.fileio.annotations.json_fields import (
    checked_text,
    get_field,
    get_integer,
    get_list,
    read_object,
    shown_json,
)
from mmdet.fileio.annotations.vis_json import VideoInfo, parse_categories
from mmdet.ops.masks.segmentations import mask_areas, to_rles
from mmdet.structures import RLE, Size

_AUTOMATIC = "masks made by the set's own model (is_gt is false): {}"
_FIRST_ONLY = (
    "objects have points: this is a file of first frames, in which an object is annotated once; its other frames and "
    "the other objects of that frame count as background"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sequence:
    """A checked entry of `sequences`."""

    name: str  # DATASET/SEQUENCE, as folders have it
    where: str
    size: Size
    frames: list[str]  # all of the video, in order
    annotated: list[str]
    masks: list[dict[str, Any]]  # of the annotated frames, by track id
    categories: dict[str, int]  # by track id


def read_burst(request: ConvertRequest) -> Conversion:
    """Read a file of BURST. Frames without annotation are in the set if their images are there."""
    raw = read_object(request.source)
    entries = get_list(raw, "sequences", request.source)
    categories = parse_categories(raw, request.source)
    known = {category.category_id for category in categories}
    sequences: dict[str, _Sequence] = {}
    for index, entry in enumerate(entries):
        sequence = _checked(entry, f"{request.source}: sequences[{index}]", known)
        if sequences.setdefault(sequence.name, sequence) is not sequence:
            raise UserError(f"{sequence.where}: occurs twice")
    if not sequences:
        raise UserError(f"{request.source} lists no sequences")
    collected = Collected(categories)
    samples = [f"{name}/{sequence.annotated[0]}" for name, sequence in sequences.items() if sequence.annotated]
    folder = find_frame_folder(request.source, samples, _folders_near(request, raw))
    wanted = wanted_videos(request, sequences, collected)
    for done, name in enumerate(wanted):
        request.report_progress(done, len(wanted))
        _read_sequence(sequences[name], folder, collected)
    request.report_progress(len(wanted), len(wanted))
    collected.hold(
        frames=sum(len(sequence.frames) for sequence in sequences.values()),
        objects=sum(len(sequence.categories) for sequence in sequences.values()),
        masks=sum(len(frame) for sequence in sequences.values() for frame in sequence.masks),
    )
    collected.note("videos in which not every object of some classes is annotated: {}", _not_exhaustive(entries))
    return collected.conversion(folder.root)


def _folders_near(request: ConvertRequest, raw: dict[str, Any]) -> list[Path]:
    """Return where frames may lie: BURST has a folder of images with one for each split, as TAO's `frames`."""
    parents = [as_given(parent, request.source) for parent in list(request.source.absolute().parents)[:3]]
    bases = [parent / name for parent in parents for name in ("frames", *IMAGE_FOLDERS)]
    bases = [request.frames] if request.frames else bases
    split = raw.get("split") if isinstance(raw.get("split"), str) else request.source.absolute().parent.name
    return [folder for base in bases for folder in (base / str(split), base)]


def _checked(entry: Any, where: str, known: set[int]) -> _Sequence:
    dataset, name = (checked_text(get_field(entry, key, where), f"{where}: {key!r}") for key in ("dataset", "seq_name"))
    where = f"{where} ({short_list([dataset])}/{short_list([name])})"
    size = get_integer(entry, "height", where), get_integer(entry, "width", where)
    annotated = [
        checked_text(path, f"{where}: an annotated path") for path in get_list(entry, "annotated_image_paths", where)
    ]
    listed = get_list(entry, "all_image_paths", where) if entry.get("all_image_paths") else annotated
    frames = [checked_text(path, f"{where}: a path") for path in listed]
    masks = get_list(entry, "segmentations", where)
    if len(masks) != len(annotated) or not all(isinstance(frame, dict) for frame in masks):
        raise UserError(
            f"{where}: 'segmentations' has {len(masks)} entries, expected an object for each of its {len(annotated)} "
            "annotated frames"
        )
    unlisted = set(annotated) - set(frames)
    if unlisted:
        raise UserError(f"{where}: annotated frame {shown(min(unlisted))} is not among all_image_paths")
    categories = get_field(entry, "track_category_ids", where)
    if not isinstance(categories, dict):
        raise UserError(f"{where}: 'track_category_ids' is {shown_json(categories)}, expected an object")
    numbers = {track: get_integer(categories, track, f"{where}: track_category_ids") for track in categories}
    for track, number in numbers.items():
        if number not in known:
            raise UserError(f"{where}: track {shown(track)} is of category {number}, which the file does not list")
    return _Sequence(
        name=f"{dataset}/{name}",
        where=where,
        size=size,
        frames=frames,
        annotated=annotated,
        masks=masks,
        categories=numbers,
    )


def _read_sequence(sequence: _Sequence, folder: FrameFolder, collected: Collected) -> None:
    names = {frame: f"{sequence.name}/{frame}" for frame in sequence.frames}
    if not has_its_frames(folder, sequence.name, list(names.values()), sequence.size, collected):
        return
    frames = sequence.frames
    missing = {frame for frame in frames if not folder.has(names[frame])}
    if missing and missing.isdisjoint(sequence.annotated):  # as if only annotated frames were downloaded
        frames = [frame for frame in frames if frame not in missing]
        collected.leave_out("frames", "they are not annotated and have no image", count=len(missing))
    places = {frame: index for index, frame in enumerate(frames)}
    annotated = sorted({places[frame] for frame in sequence.annotated})
    video = collected.add_video(
        [names[frame] for frame in frames], sequence.size, None if len(annotated) == len(frames) else annotated
    )
    _add_tracks(sequence, [places[frame] for frame in sequence.annotated], video, collected)


def _add_tracks(sequence: _Sequence, places: Sequence[int], video: VideoInfo, collected: Collected) -> None:
    """Add the objects of a sequence; `places` are the indices of its annotated frames."""
    seen = {
        (track, place): entry
        for place, frame in zip(places, sequence.masks, strict=True)
        for track, entry in frame.items()
    }
    rles = _decoded(seen, sequence)
    objects: dict[str, list[RLE | None]] = {}
    for (track, place), rle, pixels in zip(seen, rles, mask_areas(rles).tolist(), strict=True):
        if not pixels:
            collected.leave_out("masks", "they have no pixel")
            continue
        objects.setdefault(track, [None] * len(video.file_names))[place] = rle
    for track, masks in objects.items():
        if track not in sequence.categories:
            raise UserError(f"{sequence.where}: track {shown(track)} has masks, but no category in track_category_ids")
        collected.add_track(video, sequence.categories[track], masks)
    never = [track for track in sequence.categories if track not in objects]
    collected.leave_out("objects", "no frame has a mask of them", count=len(never))
    collected.note(_AUTOMATIC, sum(entry.get("is_gt") is False for entry in seen.values()))
    if any("point" in entry for entry in seen.values()):
        collected.note(_FIRST_ONLY)


def _decoded(seen: dict[tuple[str, int], Any], sequence: _Sequence) -> list[RLE]:
    """Return all masks of a sequence, checked."""
    raw: list[Any] = []
    for (track, _), entry in seen.items():
        counts = get_field(entry, "rle", f"{sequence.where}: track {shown(track)}")
        raw.append(counts if isinstance(counts, dict) else {"size": [*sequence.size], "counts": counts})
    try:
        return to_rles(raw, sequence.size)
    except ValueError as error:
        raise UserError(f"{sequence.where}: a mask cannot be decoded: {error}") from error


def _not_exhaustive(entries: Sequence[Any]) -> int:
    return sum(bool(entry.get("not_exhaustive_category_ids")) for entry in entries)
