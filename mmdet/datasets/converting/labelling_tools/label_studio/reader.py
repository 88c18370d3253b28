"""Read an export of Label Studio: tasks of videos, and tasks of images that are the frames of videos."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from mmdet.datasets.converting.assembly import SetBuilder
from mmdet.datasets.converting.category_names import naming_for
from mmdet.datasets.converting.conversion import Conversion, ConvertRequest, LeftOut
from mmdet.datasets.converting.identities import see_all, shared_note
from mmdet.datasets.converting.labelling_tools.label_studio.regions import (
    by_region,
    kind_of,
    label_of,
    sightings_of,
)
from mmdet.datasets.converting.labelling_tools.label_studio.sequences import box_at, read_sequence
from mmdet.datasets.converting.labelling_tools.label_studio.tasks import Task, read_tasks
from mmdet.datasets.converting.video_frames import FrameFinder
from mmdet.errors import UserError, shown
from mmdet.fileio.annotations.json_fields import fits_int64, get_field
from mmdet.fileio.pictures.images import header_of, is_image_name, natural_key
from mmdet.fileio.sources.frame_source import folder_entries

_ROUNDING = 1  # frames by which the labels' count may differ from the video's


def read_label_studio(request: ConvertRequest) -> Conversion:
    """Read a JSON export. Tasks of images that lie in one folder are one video."""
    counts: Counter[str] = Counter()
    tasks = read_tasks(request.source, counts)
    videos = [task for task in tasks if task.is_video]
    stills = [task for task in tasks if not task.is_video]
    if videos and stills:
        raise UserError(
            f"{request.source}: has tasks of videos and tasks of images: export them from projects of their own"
        )
    finder = FrameFinder(request, request.source.parent, alone=len(videos) == 1)
    builder = SetBuilder(naming_for(request))
    plain = Counter(task.names[-1] for task in videos)
    for task in videos:
        name = task.names[-1] if plain[task.names[-1]] == 1 else task.media.name
        _add_video(task, name, finder, builder, request, counts)
    if stills:
        _add_stills(stills, finder.root, builder, request, counts)
    made = builder.finish()
    return Conversion(
        data=made.data,
        frames=finder.root,
        read={"videos": counts["videos"], "frames": counts["frames"], "regions": counts["regions"]},
        left_out=(*finder.left_out(), *_left_out(counts), *made.left_out),
        notes=(*made.notes, *finder.notes, *shared_note(counts["shared"]), *_notes(counts)),
    )


def _add_video(
    task: Task, name: str, finder: FrameFinder, builder: SetBuilder, request: ConvertRequest, counts: Counter[str]
) -> None:
    """Add a video with its boxes through time."""
    frames = finder.find(name, also=task.names)
    if frames is None:
        return
    length = len(frames.file_names)
    counts["videos"] += 1
    counts["frames"] += length
    if task.results is None:
        counts["unlabelled"] += 1
    video_id = builder.add_video(frames.size, frames.file_names, [] if task.results is None else None)
    for place, result, others in by_region(task.results or ()):
        where = f"{task.where}, result[{place}]"
        counts["regions"] += 1
        label = label_of(result, others)
        if kind_of(result) != "videorectangle":
            counts["no area"] += 1
        elif not request.boxes_as_masks:
            counts["boxes"] += 1
        elif label is None:
            counts["no label"] += 1
        else:
            value = get_field(result, "value", where)
            keyframes = read_sequence(value, where)
            stated = value.get("framesCount")
            step = stated / length if fits_int64(stated) and stated > 0 and abs(stated - length) > _ROUNDING else 1.0
            counts["other rate"] += step != 1
            for frame in range(length):
                if (box := box_at(keyframes, 1 + frame * step)) is not None:
                    builder.see(video_id, frame, place, label, [box.outline(frames.size)], where=where)


def _add_stills(
    tasks: Sequence[Task], root: Path, builder: SetBuilder, request: ConvertRequest, counts: Counter[str]
) -> None:
    """Add the folders that hold the images of tasks; images without a submitted task are not annotated."""
    if not root.is_dir():
        raise UserError(f"--frames {root} is no folder: the tasks are about images")
    found: dict[Path, dict[Path, Task]] = defaultdict(dict)
    for task, image in zip(tasks, _images(tasks, root), strict=True):
        if image is None:
            counts["lost"] += 1
        elif image in found[image.parent]:
            raise UserError(f"{task.where}: {image.name} is the image of another task, too: remove one of them")
        else:
            found[image.parent][image] = task
    if not found:
        raise UserError(f"none of the {len(tasks)} images of the tasks is in {root}: give --frames DIR")
    for done, folder in enumerate(sorted(found, key=lambda path: natural_key(path.as_posix())), start=1):
        images = folder_entries(folder)[0]
        size = header_of(images[0]).upright
        labelled = {images.index(image): task for image, task in found[folder].items() if task.results is not None}
        annotated = None if request.missing_is_empty else sorted(labelled)
        names = [image.relative_to(root).as_posix() for image in images]
        video_id = builder.add_video(size, names, annotated)
        sightings = [
            seen
            for frame, task in sorted(labelled.items())
            for seen in sightings_of(task.results or (), frame, size, request, counts, task.where)
        ]
        counts["shared"] += see_all(builder, video_id, sightings)
        counts["videos"] += 1
        counts["frames"] += len(images)
        request.report_progress(done, len(found))


def _images(tasks: Sequence[Task], root: Path) -> Iterator[Path | None]:
    """Yield the image of each task: by the end of its path, else by its name, without what an upload put before it."""
    by_name: dict[str, list[Path]] = defaultdict(list)
    for path in root.rglob("*"):
        if is_image_name(path) and not path.name.startswith("."):
            by_name[path.name].append(path)
    for task in tasks:
        paths = next((by_name[name] for name in task.names if name in by_name), [])
        exact = [path for path in paths if path.as_posix().endswith(f"/{'/'.join(task.media.parts[-2:])}")]
        chosen = exact if len(exact) == 1 else paths
        if len(chosen) > 1:
            raise UserError(
                f"{task.where}: {shown(str(task.media))} may be {chosen[0]} or {chosen[1]}: give --frames of one video"
            )
        yield chosen[0] if chosen else None


def _left_out(counts: Counter[str]) -> Iterator[LeftOut]:
    reasons = (
        ("boxes", "boxes", "a box is not a mask (--boxes-as-masks takes it)"),
        ("no area", "other regions", "they cover no area"),
        ("no label", "regions", "they have no label"),
        ("turned", "regions", "they were drawn on an image that was turned in the tool"),
        ("lost", "tasks", "their image is not there"),
        ("no media", "tasks", "their data names no video or image"),
        ("cancelled", "annotations", "they were skipped in the tool"),
        ("opinions", "annotations", "their task has another one: the ground truth or the latest is read"),
    )
    yield from (LeftOut(what=what, count=counts[key], why=why) for key, what, why in reasons if counts[key])


def _notes(counts: Counter[str]) -> Iterator[str]:
    if counts["other rate"]:
        yield (
            f"{counts['other rate']} boxes are counted in another number of frames than their video has (by the frame "
            "rate of the <Video> tag): they are placed by their share of its length"
        )
    if counts["unlabelled"]:
        yield f"{counts['unlabelled']} videos have no submitted annotation: none of their frames is annotated"
