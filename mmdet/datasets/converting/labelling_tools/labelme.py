"""Read folders of labelme: a json beside each labelled frame, one folder per video.

Source: labelme's documentation and the files that it writes; docs/convert/labelme.md.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from mmdet.datasets.converting.assembly import SetBuilder
from mmdet.datasets.converting.category_names import naming_for
from mmdet.datasets.converting.conversion import Conversion, ConvertRequest, LeftOut
from mmdet.datasets.converting.identities import Sighting, number_in, see_all, shared_note
from mmdet.datasets.converting.labelling_tools.coded_masks import placed, png_mask, unpacked
from mmdet.datasets.converting.labelling_tools.outlines import ellipse, rectangle
from mmdet.datasets.converting.recognition import not_in_format
from mmdet.errors import UserError, shown
from mmdet.fileio.annotations.json_fields import checked_text, fits_int64, get_field, get_list, read_json
from mmdet.fileio.pictures.images import header_of, is_image_name, list_folder
from mmdet.fileio.sources.frame_source import folder_entries
from mmdet.structures import Size

_ID_KEYS = ("track_id", "instance_id", "object_id", "id")
_BOXES = ("rectangle", "rotation")
_AREAS = (*_BOXES, "polygon", "circle", "mask")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Video:
    """A folder of jsons, with all images of its video and the labels by the place of their frame."""

    images: tuple[Path, ...]
    labels: dict[int, tuple[Path, dict[str, Any]]]  # the file and its content
    lost: int  # jsons without an image


def read_labelme(request: ConvertRequest) -> Conversion:
    """Read a folder of jsons, or a folder of such folders."""
    counts: Counter[str] = Counter()
    bare: list[Path] = []
    videos = list(_videos(request, bare, counts))
    if not any(video.labels or video.lost for video in videos):
        raise not_in_format(request.source, "a folder of labelme: one json for each labelled frame")
    if not any(video.labels for video in videos):
        raise UserError(f"{request.source}: none of its {counts['jsons']} jsons has its image: give --frames DIR")
    used = {os.path.abspath(image.parent) for video in videos for image in video.images[:1]}
    counts["bare"] = sum(os.path.abspath(folder) not in used for folder in bare)
    root = request.frames or _common_folder([image.parent for video in videos for image in video.images[:1]])
    builder = SetBuilder(naming_for(request))
    for done, video in enumerate(videos, start=1):
        if video.images:
            _add_video(video, root, builder, request, counts)
        counts["frames"] += len(video.images)
        counts["lost"] += video.lost
        request.report_progress(done, len(videos))
    made = builder.finish()
    read = {"videos": len(videos), "frames": counts["frames"], "annotated frames": counts["jsons"]}
    return Conversion(
        data=made.data,
        frames=root,
        read={**read, "masks": counts["shapes"]},
        left_out=(*_left_out(counts), *made.left_out),
        notes=(*made.notes, *shared_note(counts["shared"])),
    )


def _videos(request: ConvertRequest, bare: list[Path], counts: Counter[str]) -> Iterator[_Video]:
    """Yield the folders at or below the source that hold jsons of labelme, in natural order.

    Those that hold images alone are added to `bare`.
    """
    if not request.source.is_dir():
        raise not_in_format(request.source, "a folder of labelme")
    pending = [request.source]
    while pending:
        folder = pending.pop(0)
        entries = list_folder(folder, "folder")
        pending[:0] = [entry for entry in entries if entry.is_dir()]
        found = {path: raw for path in entries if path.suffix.lower() == ".json" and (raw := _labels_of(path, counts))}
        counts["jsons"] += len(found)
        if found:
            yield _video(folder, found, request)
        elif any(is_image_name(entry) for entry in entries):
            bare.append(folder)


def _labels_of(path: Path, counts: Counter[str]) -> dict[str, Any] | None:
    raw = read_json(path)
    if isinstance(raw, dict) and "shapes" in raw and "imagePath" in raw:
        raw.pop("imageData", None)  # the whole image, as text
        return raw
    counts["foreign"] += 1
    return None


def _video(folder: Path, found: dict[Path, dict[str, Any]], request: ConvertRequest) -> _Video:
    images = folder_entries(_image_folder(folder, found, request))[0]
    by_name = {image.name: place for place, image in enumerate(images)}
    by_stem = {image.stem: place for place, image in enumerate(images)}
    labels: dict[int, tuple[Path, dict[str, Any]]] = {}
    for path, raw in found.items():
        named = checked_text(raw["imagePath"], f"{path}: 'imagePath'")
        place = by_name.get(PureWindowsPath(named).name, by_stem.get(path.stem))
        if place in labels:
            raise UserError(f"{path} and {labels[place][0].name} are both labels of {images[place].name}: remove one")
        if place is not None:
            labels[place] = (path, raw)
    return _Video(images=tuple(images), labels=labels, lost=len(found) - len(labels))


def _image_folder(folder: Path, found: dict[Path, dict[str, Any]], request: ConvertRequest) -> Path:
    """Return where the images of a folder of jsons are: below `--frames`, or where the first json says."""
    if request.frames is not None:
        return request.frames / folder.relative_to(request.source)
    first = PureWindowsPath(str(next(iter(found.values()))["imagePath"])).as_posix()
    said = Path(os.path.normpath(folder / first)).parent
    return said if said.is_dir() else folder


def _common_folder(folders: Sequence[Path]) -> Path:
    return Path(os.path.commonpath([os.path.abspath(folder) for folder in folders]))


def _add_video(video: _Video, root: Path, builder: SetBuilder, request: ConvertRequest, counts: Counter[str]) -> None:
    size = header_of(video.images[min(video.labels, default=0)]).upright
    names = [Path(os.path.relpath(os.path.abspath(image), os.path.abspath(root))).as_posix() for image in video.images]
    annotated = None if request.missing_is_empty else sorted(video.labels)
    video_id = builder.add_video(size, names, annotated)
    sightings = [
        seen
        for place, (path, raw) in sorted(video.labels.items())
        for seen in _sightings(place, path, raw, size, request, counts)
    ]
    counts["shared"] += see_all(builder, video_id, sightings)


def _sightings(
    place: int, path: Path, raw: dict[str, Any], size: Size, request: ConvertRequest, counts: Counter[str]
) -> Iterator[Sighting]:
    """Yield the masks of one json."""
    stated = (raw.get("imageHeight"), raw.get("imageWidth"))
    if stated != (None, None) and stated != size:
        raise UserError(
            f"{path}: the image was {shown(stated[1])}x{shown(stated[0])} when it was labelled, it is "
            f"{size[1]}x{size[0]}"
        )
    for number, shape in enumerate(get_list(raw, "shapes", path)):
        where = f"{path}: shapes[{number}]"
        label = checked_text(get_field(shape, "label", where), f"{where}: 'label'")
        kind = shape.get("shape_type", "polygon")
        counts["shapes"] += 1
        if kind not in _AREAS:
            counts["no area"] += 1
        elif kind in _BOXES and not request.boxes_as_masks:
            counts["boxes"] += 1
        else:
            mask = _mask(kind, shape, size, where)
            yield Sighting(frame=place, identity=_identity(shape), category=label, mask=mask, where=where)


def _mask(kind: str, shape: dict[str, Any], size: Size, where: str) -> Any:
    points = get_list(shape, "points", where)
    flat = [value for point in points if isinstance(point, list) and len(point) == 2 for value in point]
    if len(flat) != 2 * len(points) or not all(fits_int64(value) for value in flat):
        raise UserError(f"{where}: 'points' is {shown(points)}, expected pairs [x, y]")
    if kind == "polygon" or (kind in _BOXES and len(points) > 2):
        return [flat]
    if len(points) != 2:
        raise UserError(f"{where}: a {kind} has two points, this has {len(points)}")
    x1, y1, x2, y2 = flat
    if kind == "rectangle":
        return [rectangle(min(x1, x2), min(y1, y2), abs(x2 - x1), abs(y2 - y1))]
    if kind == "circle":
        radius = float(np.hypot(x2 - x1, y2 - y1))
        return [ellipse(x1, y1, radius, radius)]
    pixels = png_mask(unpacked(get_field(shape, "mask", where), where, zipped=False), where, size)
    return placed(pixels, int(min(x1, x2)), int(min(y1, y2)), size)


def _identity(shape: dict[str, Any]) -> Hashable:
    """Return the number of an object: its group id, else a number in its description or flags; None without any."""
    if isinstance(group := shape.get("group_id"), int | str) and group != "":
        return str(group)
    if isinstance(text := shape.get("description"), str) and (found := number_in(text)):
        return found
    flags = shape.get("flags")
    for name, value in flags.items() if isinstance(flags, dict) else ():
        if name in _ID_KEYS and isinstance(value, int | str) and not isinstance(value, bool):
            return str(value)
        if value is True and (found := number_in(name)):
            return found
    return None


def _left_out(counts: Counter[str]) -> Iterator[LeftOut]:
    reasons = (
        ("boxes", "rectangles", "a box is not a mask (--boxes-as-masks takes it)"),
        ("no area", "points and lines", "they cover no area"),
        ("lost", "jsons", "their image is missing (--frames DIR says where images are)"),
        ("bare", "folders of images", "they hold no json"),
        ("foreign", "jsons", "they are not of labelme"),
    )
    yield from (LeftOut(what=what, count=counts[key], why=why) for key, what, why in reasons if counts[key])
