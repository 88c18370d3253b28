"""What MOTS sets share: ids that hold the class, 1000 * class + number, and ignore regions of the id 10000.

Source: docs/convert/mots.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmdet.datasets.converting.conversion import ConvertRequest
from mmdet.datasets.converting.published_sets.collected import Collected
from mmdet.errors import UserError, shown
from mmdet.fileio.annotations.json_fields import checked_text, read_object
from mmdet.fileio.annotations.vis_json import Category, VideoInfo
from mmdet.structures import RLE

IDS_A_CLASS = 1000
IGNORED_CLASS = 10
MOTS_CHALLENGE = {2: "pedestrian"}
KITTI_MOTS = {1: "car", 2: "pedestrian"}

Classes = Mapping[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MotsObject:
    """An object of a video, or with the class IGNORED_CLASS its ignore regions."""

    number: int  # its id, class included
    classes: Counter[int]  # the class that the file gives it, by frame
    masks: Sequence[RLE | None]  # one per frame


def collect_objects(objects: Sequence[MotsObject], video: VideoInfo, collected: Collected, where: Path) -> None:
    """Add the objects of a video. An ignore region becomes a crowd of every category: it says nothing of any.

    An object that several classes are given is what it is most often. Raises UserError for a class without a name;
    `where` is its file or folder.
    """
    names = {category.category_id: category.name for category in collected.categories}
    for item in objects:
        (number, _), *others = item.classes.most_common()
        collected.note("objects of several classes, each is what it is most often: {}", bool(others))
        if number == IGNORED_CLASS and number not in names:
            for category_id in names:
                collected.add_track(video, category_id, item.masks, is_crowd=True)
        elif number in names:
            collected.add_track(video, number, item.masks)
        else:
            raise UserError(
                f"{where}: object {item.number} is of class {number}, which has no name; "
                f"known are {', '.join(f'{known} {name}' for known, name in sorted(names.items()))}; "
                "--categories names a file with others (docs/convert/mots.md)"
            )


def new_collection(request: ConvertRequest, classes: Classes) -> Collected:
    """Return an empty set with the categories of a MOTS set, or those of `--categories`; ids are class numbers."""
    named = _load_classes(request.categories) if request.categories else classes
    return Collected([Category(number, name) for number, name in sorted(named.items())])


def _load_classes(path: Path) -> dict[int, str]:
    """Read `{"1": "car"}`, or a text with a name a line, the first of class 1 (labels.txt)."""
    if path.suffix.lower() == ".json":
        raw = read_object(path)
        wrong = next((key for key in raw if not key.isdecimal()), None)
        if wrong is not None or not raw:
            raise UserError(f'{path}: {shown(wrong)} is no class number; expected {{"1": "car", "2": "pedestrian"}}')
        return {int(key): checked_text(name, f"{path}: {key!r}") for key, name in raw.items()}
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as a text with a category in each line: {error}") from error
    classes = {number: name for number, name in enumerate(lines, start=1) if name}
    if not classes:
        raise UserError(f"{path} names no category; expected one in each line, the first of class 1")
    return classes
