"""Read "CVAT for video 1.1": annotations.xml of a task, a job or a project, with tracks.

Source: CVAT's documentation, "XML annotation format"; docs/convert/cvat.md.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from mmdet.datasets.converting.assembly import SetBuilder
from mmdet.datasets.converting.category_names import naming_for
from mmdet.datasets.converting.conversion import Conversion, ConvertRequest, LeftOut
from mmdet.datasets.converting.labelling_tools.cvat_tracks import (
    AREAS,
    CvatTrack,
    Shape,
    lists_keyframes_only,
    mask_of,
    read_tracks,
    shapes_between,
)
from mmdet.datasets.converting.recognition import not_in_format
from mmdet.datasets.converting.video_frames import FrameFinder, VideoFrames, check_size
from mmdet.errors import UserError
from mmdet.structures import Size

_FILE = "annotations.xml"
_FORMAT = '"CVAT for video 1.1"'
_STEP = re.compile(r"step\s*=\s*(\d{1,9})")
_NO_AREA = ("points", "polyline", "cuboid", "skeleton", "tag")  # labels of these types are no categories


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """What a file says about one task: a video."""

    number: str | None  # its id in the export of a project
    name: str  # of the video file, else of the task
    frames: range  # their numbers in the video
    size: Size | None


def read_cvat_video(request: ConvertRequest) -> Conversion:
    """Read the tracks of annotations.xml, or of a folder that holds it."""
    path = request.source / _FILE if (request.source / _FILE).is_file() else request.source
    root = _root(path)
    tasks, tracks = _tasks(root, path), read_tracks(root, path)
    finder = FrameFinder(request, path.parent, alone=len(tasks) == 1)
    builder = SetBuilder(naming_for(request, _labels(root)))
    counts: Counter[str] = Counter()
    numbers = {task.number for task in tasks}
    for task in tasks:
        own = [track for track in tracks if len(tasks) == 1 or track.task == task.number]
        counts["frames"] += len(task.frames)
        if (frames := finder.find(task.name, task.frames)) is not None:
            check_size(frames, task.size, task.name, path)
            video_id = builder.add_video(frames.size, frames.file_names)
            _add_tracks(own, frames, video_id, builder, request, counts)
    counts["no task"] = sum(track.task not in numbers for track in tracks) if len(tasks) > 1 else 0
    made = builder.finish()
    return Conversion(
        data=made.data,
        frames=finder.root,
        read={
            "videos": len(tasks),
            "frames": counts["frames"],
            "objects": len(tracks),
            "masks": counts["shapes"],
            "categories": len(_labels(root)),
        },
        left_out=(*finder.left_out(), *_left_out(counts), *made.left_out),
        notes=(*made.notes, *finder.notes, *_notes(root, counts)),
    )


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


def _notes(root: Element, counts: Counter[str]) -> Iterator[str]:
    names = sorted({element.get("name", "") for element in root.iterfind("track//attribute")})
    if names:
        yield f"attributes are not read: {', '.join(names)}"
    if counts["occluded"]:
        yield f"{counts['occluded']} shapes are marked as occluded: they are kept, the mark is not"
    if counts["computed"]:
        yield f"the file lists keyframes alone: {counts['computed']} shapes between and after them are computed"


def _root(path: Path) -> Element:
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, OSError, ValueError, LookupError) as error:
        raise not_in_format(path, f"an XML file of {_FORMAT}") from error
    if root.tag != "annotations" or (root.find("image") is not None and root.find("track") is None):
        raise not_in_format(path, _FORMAT)
    return root


def _labels(root: Element) -> list[str]:
    """Return the labels of the task or project that can be masks, in its order, without those of skeletons' parts."""
    labels = [label for label in root.iterfind("meta//labels/label") if label.find("parent") is None]
    names = [label.findtext("name") or "" for label in labels if label.findtext("type") not in _NO_AREA]
    return list(dict.fromkeys(name for name in names if name))


def _tasks(root: Element, path: Path) -> list[_Task]:
    several = list(root.iterfind("meta/project/tasks/task"))
    meta = root.find("meta")
    if meta is None:
        raise UserError(f"{path}: has no <meta>, which says how many frames the task has: export it anew")
    found = several or [element for name in ("task", "job") if (element := meta.find(name)) is not None]
    if not found:
        raise UserError(f"{path}: <meta> has no <task>, <job> or <project>: export {_FORMAT}")
    return [_task(element, meta, path, bool(several)) for element in found]


def _task(task: Element, meta: Element, path: Path, is_one_of_several: bool) -> _Task:
    name = task.findtext("source") or (None if is_one_of_several else meta.findtext("source"))
    length = _integer(task, "size", path)
    step = _STEP.search(task.findtext("frame_filter") or "")
    stride = int(step[1]) if step else 1
    start = _integer(task, "start_frame", path, 0)
    stop = _integer(task, "stop_frame", path, start + (length - 1) * stride)
    frames = range(start, stop + 1, max(stride, 1))
    if len(frames) != length:  # the size counts, as deleted frames are in neither
        frames = range(start, start + length * max(stride, 1), max(stride, 1))
    size = task.find("original_size")
    size = meta.find("original_size") if size is None and not is_one_of_several else size
    return _Task(
        number=task.findtext("id") if is_one_of_several else None,
        name=name or task.findtext("name") or path.parent.name,
        frames=frames,
        size=None if size is None else (_integer(size, "height", path), _integer(size, "width", path)),
    )


def _integer(element: Element, key: str, path: Path, default: int | None = None) -> int:
    text = (element.findtext(key) or "").strip()
    if not text and default is not None:
        return default
    if not re.fullmatch(r"\d{1,9}", text):
        raise UserError(f"{path}: <{key}> of <{element.tag}> is {text!r}, expected a whole number")
    return int(text)
