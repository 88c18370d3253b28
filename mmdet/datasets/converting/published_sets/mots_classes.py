"""What MOTS sets share: ids that hold the class, 1000 * class + number, and ignore regions of the id 10000.

Source: docs/convert/mots.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mmdet.datasets.converting.conversion import ConvertRequest
from mmdet.datasets.converting.published_sets.collected import Collected, VideoObjects
from mmdet.errors import UserError, shown
from mmdet.fileio.annotations.json_fields import checked_text, read_object
from mmdet.fileio.annotations.vis_json import Category, VideoInfo

IDS_A_CLASS = 1000
IGNORED_CLASS = 10
MOTS_CHALLENGE = {2: "pedestrian"}
LABELS = "labels.txt"
_NAMES = (LABELS, "classes.json")  # of CVAT, and of tools/export_results.py
KITTI_MOTS = {1: "car", 2: "pedestrian"}

Classes = Mapping[int, str]


def collect_objects(objects: VideoObjects, video: VideoInfo, collected: Collected, where: Path) -> None:
    """Add the objects of a video by their ids, in order; their categories are numbers of classes.

    An ignore region becomes a crowd of every category: it says nothing of any. Raises UserError for a class without a
    name; `where` is its file or folder.
    """
    names = {category.category_id: category.name for category in collected.categories}
    collected.note_objects(objects)
    for (number, _), seen in sorted(objects.by_key.items(), key=lambda item: item[0]):
        if seen.category_id == IGNORED_CLASS and IGNORED_CLASS not in names:
            collected.note(f"regions to ignore, each a crowd of all {len(names)} categories: {{}}", len(names) > 1)
            for place, category_id in enumerate(names):
                collected.add_track(video, category_id, seen.masks, is_crowd=True, is_copy=place > 0)
        elif seen.category_id in names:
            collected.add_track(video, seen.category_id, seen.masks)
        else:
            raise UserError(
                f"{where}: object {number} is of class {seen.category_id}, which has no name; "
                f"known are {', '.join(f'{known} {name}' for known, name in sorted(names.items()))}; "
                "--categories names a file with others (docs/convert/mots.md)"
            )


def new_collection(request: ConvertRequest, folder: Path, classes: Classes) -> Collected:
    """Return an empty set with the categories of `--categories`, of a file of names in `folder`, or of the MOTS set.

    Their ids are the numbers of the classes.
    """
    beside = next((folder / name for name in _NAMES if (folder / name).is_file()), None)
    path = request.categories or beside
    named = _load_classes(path) if path else classes
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
