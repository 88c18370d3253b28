"""Read YOLO's segmentation labels with track ids: data.yaml, images/, labels/ with one text per frame.

Source: Ultralytics' documentation of segmentation data sets; docs/convert/yolo-seg.md.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mmdet.datasets.converting.assembly import SetBuilder
from mmdet.datasets.converting.category_names import naming_for
from mmdet.datasets.converting.conversion import Conversion, ConvertRequest, LeftOut
from mmdet.datasets.converting.identities import Sighting, see_all, shared_note
from mmdet.datasets.converting.labelling_tools.yolo_lines import Line, have_scores_and_ids, parse, read_lines
from mmdet.datasets.converting.recognition import not_in_format
from mmdet.datasets.converting.video_frames import FrameFinder
from mmdet.errors import UserError, short_list, shown
from mmdet.fileio.annotations.category_list import read_category_list
from mmdet.fileio.annotations.json_fields import checked_text
from mmdet.fileio.pictures.images import header_of, is_image_name, natural_key
from mmdet.structures import Size

_YAML = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_SPLITS = ("train", "val", "test")
_FRAME_NUMBER = re.compile(r"(.+)_(\d{1,9})")  # what tracking appends to the name of a video, from 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where the images and the texts of a set lie, and its classes."""

    images: Path
    labels: Path
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Video:
    """The frames of a video, and their texts by the place of the frame."""

    size: Size
    file_names: tuple[str, ...]
    texts: dict[int, Path]


def read_yolo_seg(request: ConvertRequest) -> Conversion:
    """Read a set by its data.yaml, by its folder, or by the folder of its texts."""
    place = _place(request)
    counts: Counter[str] = Counter()
    finder = FrameFinder(request, place.images, alone=True)
    videos = [_of_video_file(place, request, finder)] if _is_file(request) else list(_of_folders(place))
    texts = {text for video in videos for text in video.texts.values()}
    if not texts:
        raise not_in_format(request.source, f"a YOLO set: no text in {place.labels} has an image in {place.images}")
    lines = {text: read_lines(text) for text in texts}
    with_both = have_scores_and_ids([line for found in lines.values() for line in found])
    builder = SetBuilder(naming_for(request, place.names))
    for done, video in enumerate(videos, start=1):
        video_id = builder.add_video(video.size, video.file_names)
        sightings = list(_sightings(video, lines, place, with_both, request, counts))
        counts["shared"] += see_all(builder, video_id, sightings)
        counts["frames"] += len(video.file_names)
        counts["bare"] += len(video.file_names) - len(video.texts)
        request.report_progress(done, len(videos))
    counts["lost"] = len({path for path in place.labels.rglob("*.txt") if path.is_file()} - texts)
    made = builder.finish()
    return Conversion(
        data=made.data,
        frames=finder.root if _is_file(request) else place.images,
        read={
            "videos": len(videos),
            "frames": counts["frames"],
            "masks": counts["lines"],
            "categories": len(place.names),
        },
        left_out=(*_left_out(counts), *made.left_out),
        notes=(*made.notes, *finder.notes, *shared_note(counts["shared"]), *_notes(counts)),
    )


def _is_file(request: ConvertRequest) -> bool:
    return request.frames is not None and request.frames.is_file()


def _place(request: ConvertRequest) -> _Place:
    source = request.source
    found = [source] if source.is_file() else [source / name for name in _YAML if (source / name).is_file()]
    if found:
        return _of_yaml(found[0], request)
    if request.categories is None:
        raise not_in_format(source, "a YOLO set: it has no data.yaml, and no --categories names its classes")
    names = tuple(entry.name for entry in read_category_list(request.categories))
    labels = source / "labels" if (source / "labels").is_dir() else source
    return _Place(images=request.frames or _images_of(labels), labels=labels, names=names)


def _of_yaml(path: Path, request: ConvertRequest) -> _Place:
    if path.suffix.lower() not in (".yaml", ".yml"):
        raise not_in_format(path, "the data.yaml of a YOLO set")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(raw, dict) or "names" not in raw:
        raise UserError(f"{path}: has no 'names', the classes of the set")
    images = request.frames if request.frames and request.frames.is_dir() else None
    folder = _folder_of_split(raw, path, request.split)
    return _Place(images=images or folder, labels=_labels_of(folder), names=_names(raw["names"], path))


def _names(value: Any, path: Path) -> tuple[str, ...]:
    """Return the classes in the order of their numbers, which a dict gives and a list counts."""
    if isinstance(value, dict):
        if sorted(value) != list(range(len(value))):
            raise UserError(f"{path}: 'names' has the numbers {shown(sorted(map(str, value)))}, expected 0, 1, 2, ...")
        value = [value[number] for number in range(len(value))]
    if not isinstance(value, list) or not value:
        raise UserError(f"{path}: 'names' is {shown(value)}, expected the names of the classes")
    return tuple(checked_text(str(name), f"{path}: names[{number}]") for number, name in enumerate(value))


def _folder_of_split(raw: dict[str, Any], path: Path, wanted: str | None) -> Path:
    """Return the folder of images of the split that is wanted, or of the only one."""
    folders = {}
    for split in _SPLITS:
        value = raw.get("val", raw.get("valid")) if split == "val" else raw.get(split)
        if isinstance(value, str) and (folder := _existing(path.parent, str(raw.get("path") or ""), value)):
            folders[split] = folder
    if wanted is None and len(set(folders.values())) == 1:
        return next(iter(folders.values()))
    if wanted in folders:
        return folders[wanted]
    if not folders:
        raise UserError(f"{path}: none of {', '.join(_SPLITS)} names a folder of images that is there")
    asked = "choose one by --split" if wanted is None else f"--split {wanted} is none of them"
    raise UserError(f"{path}: has the splits {', '.join(folders)}: {asked}")


def _existing(beside: Path, root: str, value: str) -> Path | None:
    """Return the folder that a split names, from the set's root, the yaml's folder, or written as ../train/images."""
    places = (beside / root / value, beside / value, beside / value.removeprefix("../"))
    return next((place for place in places if place.is_dir()), None)


def _labels_of(images: Path) -> Path:
    """Return the folder of texts beside a folder of images: the last `images` of its path is `labels` there."""
    return _swapped(images, "images", "labels")


def _images_of(labels: Path) -> Path:
    return _swapped(labels, "labels", "images")


def _swapped(folder: Path, name: str, other: str) -> Path:
    parts = list(folder.parts)
    if name not in parts:
        return folder
    parts[len(parts) - 1 - parts[::-1].index(name)] = other
    swapped = Path(*parts)
    return swapped if swapped.is_dir() else folder


def _of_folders(place: _Place) -> Iterator[_Video]:
    """Yield the folders with images, each one video, in natural order."""
    if not place.images.is_dir():
        raise UserError(f"folder of images {place.images} does not exist: give --frames DIR")
    images = sorted(
        (path.relative_to(place.images) for path in place.images.rglob("*") if is_image_name(path)),
        key=lambda path: natural_key(path.as_posix()),
    )
    videos: dict[Path, list[Path]] = {}
    for image in images:
        videos.setdefault(image.parent, []).append(image)
    for frames in videos.values():
        texts = {index: place.labels / image.with_suffix(".txt") for index, image in enumerate(frames)}
        yield _Video(
            size=header_of(place.images / frames[0]).upright,
            file_names=tuple(image.as_posix() for image in frames),
            texts={index: text for index, text in texts.items() if text.is_file()},
        )


def _of_video_file(place: _Place, request: ConvertRequest, finder: FrameFinder) -> _Video:
    """Return the video file of `--frames`, with the texts that tracking wrote: NAME_1.txt is its first frame."""
    assert request.frames is not None
    found = {}
    for text in place.labels.glob("*.txt"):
        named = _FRAME_NUMBER.fullmatch(text.stem)
        if named and named[1] == request.frames.stem:
            found[int(named[2]) - 1] = text
    frames = finder.find(request.frames.name)
    assert frames is not None  # the finder looks for this video alone
    places = {number: index for index, number in enumerate(frames.numbers)}
    texts = {places[number]: text for number, text in found.items() if number in places}
    return _Video(size=frames.size, file_names=frames.file_names, texts=texts)


def _sightings(
    video: _Video,
    lines: dict[Path, list[Line]],
    place: _Place,
    with_both: bool,
    request: ConvertRequest,
    counts: Counter[str],
) -> Iterator[Sighting]:
    for index, text in sorted(video.texts.items()):
        for line in lines[text]:
            counts["lines"] += 1
            found = parse(line, with_both)
            counts["scores"] += found.has_score
            if found.label >= len(place.names):
                raise UserError(
                    f"{line.where}: class {found.label}, the set has {len(place.names)}: {_listed(place.names)}"
                )
            if found.is_box and not request.boxes_as_masks:
                counts["boxes"] += 1
                continue
            yield Sighting(
                frame=index,
                identity=found.identity,
                category=place.names[found.label],
                mask=[found.outline(video.size)],
                where=line.where,
            )


def _listed(names: Sequence[str]) -> str:
    return short_list([f"{number} {name}" for number, name in enumerate(names)])


def _left_out(counts: Counter[str]) -> Iterator[LeftOut]:
    reasons = (
        ("boxes", "boxes", "a box is not a mask (--boxes-as-masks takes it)"),
        ("lost", "texts", "no image has their name"),
    )
    yield from (LeftOut(what=what, count=counts[key], why=why) for key, what, why in reasons if counts[key])


def _notes(counts: Counter[str]) -> Iterator[str]:
    if counts["bare"]:
        yield f"{counts['bare']} frames have no text: by YOLO's rule they show nothing"
    if counts["scores"]:
        yield f"scores of {counts['scores']} lines are not read"
