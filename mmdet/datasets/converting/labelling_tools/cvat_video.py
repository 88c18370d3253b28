"""Read "CVAT for video 1.1": annotations.xml of a task, a job or a project, with tracks, or several such files.

Source: CVAT's documentation, "XML annotation format"; docs/convert/cvat.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

from mmdet.datasets.converting.assembly import SetBuilder
from mmdet.datasets.converting.category_names import naming_for
from mmdet.datasets.converting.conversion import Conversion, ConvertRequest, LeftOut
from mmdet.datasets.converting.labelling_tools.cvat_tasks import Task, find_exports, read_labels, read_root, read_tasks
from mmdet.datasets.converting.labelling_tools.cvat_tracks import (
    AREAS,
    CvatTrack,
    Shape,
    lists_keyframes_only,
    mask_of,
    read_tracks,
    shapes_between,
)
from mmdet.datasets.converting.video_frames import FrameFinder, VideoFrames, check_size


def read_cvat_video(request: ConvertRequest) -> Conversion:
    """Read the tracks of a file, or of all files of a folder."""
    roots = {path: read_root(path) for path in find_exports(request.source)}
    tasks = {path: read_tasks(root, path) for path, root in roots.items()}
    labels = list(dict.fromkeys(label for root in roots.values() for label in read_labels(root)))
    num_tasks = sum(map(len, tasks.values()))
    beside = request.source if request.source.is_dir() else request.source.parent
    finder = FrameFinder(request, beside, alone=num_tasks == 1)
    builder = SetBuilder(naming_for(request, labels))
    counts: Counter[str] = Counter()
    for path, root in roots.items():
        _add_file(path, root, tasks[path], finder, builder, request, counts)
    made = builder.finish()
    return Conversion(
        data=made.data,
        frames=finder.root,
        read={
            "videos": num_tasks,
            "frames": counts["frames"],
            "objects": counts["objects"],
            "masks": counts["shapes"],
            "categories": len(labels),
        },
        left_out=(*finder.left_out(), *_left_out(counts), *made.left_out),
        notes=(*made.notes, *finder.notes, *_notes(roots.values(), counts)),
    )


def _add_file(
    path: Path,
    root: Element,
    tasks: Sequence[Task],
    finder: FrameFinder,
    builder: SetBuilder,
    request: ConvertRequest,
    counts: Counter[str],
) -> None:
    tracks = read_tracks(root, path)
    folder = path.parent.name  # of an export that was unpacked into a folder of its own
    for task in tasks:
        own = [track for track in tracks if len(tasks) == 1 or track.task == task.number]
        counts["frames"] += len(task.frames)
        also = [f"{folder}/{task.name}", f"{folder}/images/{task.name}"]
        also += [f"{folder}/images", path.stem] if len(tasks) == 1 else []
        if (frames := finder.find(task.name, task.frames, also)) is not None:
            check_size(frames, task.size, task.name, path)
            video_id = builder.add_video(frames.size, frames.file_names)
            _add_tracks(own, frames, video_id, builder, request, counts)
    numbers = {task.number for task in tasks}
    counts["objects"] += len({track.identity for track in tracks})
    counts["no task"] += sum(track.task not in numbers for track in tracks) if len(tasks) > 1 else 0


def _add_tracks(
    tracks: Sequence[CvatTrack],
    frames: VideoFrames,
    video_id: int,
    builder: SetBuilder,
    request: ConvertRequest,
    counts: Counter[str],
) -> None:
    counts["no frame"] += frames.missing
    places = {number: place for place, number in enumerate(frames.numbers)}
    only_keyframes = lists_keyframes_only(tracks)
    for done, track in enumerate(tracks, start=1):
        for shape in _shapes(track, frames.numbers, only_keyframes, counts):
            if _is_kept(shape, places, request, counts):
                mask = mask_of(shape, frames.size)
                builder.see(video_id, places[shape.frame], track.identity, track.label, mask, where=shape.where)
        request.report_progress(done, len(tracks))


def _shapes(track: CvatTrack, frames: Sequence[int], only_keyframes: bool, counts: Counter[str]) -> Iterator[Shape]:
    """Yield the visible shapes of a track, and count those that cannot be computed."""
    if not only_keyframes:
        yield from (shape for shape in track.shapes if not shape.outside)
        return
    for shape in shapes_between(track, frames):
        if shape is None:
            counts["between"] += 1
        else:
            counts["computed"] += not shape.keyframe
            yield shape


def _is_kept(shape: Shape, places: dict[int, int], request: ConvertRequest, counts: Counter[str]) -> bool:
    counts["shapes"] += 1
    counts["occluded"] += shape.occluded
    if shape.kind not in AREAS:
        counts["no area"] += 1
    elif shape.kind == "box" and not request.boxes_as_masks:
        counts["boxes"] += 1
    elif shape.frame not in places:
        counts["elsewhere"] += 1
    else:
        return True
    return False


def _left_out(counts: Counter[str]) -> Iterator[LeftOut]:
    reasons = (
        ("boxes", "boxes", "a box is not a mask (--boxes-as-masks takes it)"),
        ("no area", "points, lines, cuboids and skeletons", "they cover no area"),
        ("between", "shapes between keyframes", "the file lists keyframes alone, and these shapes do not correspond"),
        ("elsewhere", "shapes", "their frames are not there"),
        ("no task", "objects", "the file does not list their task"),
        ("no frame", "frames", "they are not among the images or in the video"),
    )
    yield from (LeftOut(what=what, count=counts[key], why=why) for key, what, why in reasons if counts[key])


def _notes(roots: Iterable[Element], counts: Counter[str]) -> Iterator[str]:
    names = sorted({element.get("name", "") for root in roots for element in root.iterfind("track//attribute")})
    if names:
        yield f"attributes are not read: {', '.join(names)}"
    if counts["occluded"]:
        yield f"{counts['occluded']} shapes are marked as occluded: they are kept, the mark is not"
    if counts["computed"]:
        yield f"the file lists keyframes alone: {counts['computed']} shapes between and after them are computed"
