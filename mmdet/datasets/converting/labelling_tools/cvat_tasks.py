"""What a file of "CVAT for video 1.1" says about its tasks and labels, and which files a source holds.

Source: CVAT's documentation, "XML annotation format".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from mmdet.datasets.converting.recognition import not_in_format
from mmdet.errors import UserError
from mmdet.fileio.pictures.images import list_folder
from mmdet.structures import Size

_FILE = "annotations.xml"
_FORMAT = '"CVAT for video 1.1"'
_STEP = re.compile(r"step\s*=\s*(\d{1,9})")
_NO_AREA = ("points", "polyline", "cuboid", "skeleton", "tag")  # labels of these types are no categories


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task: a video."""

    number: str | None  # its id in the export of a project
    name: str  # of the video file, else of the task
    frames: range  # their numbers in the video
    size: Size | None


def find_exports(source: Path) -> list[Path]:
    """Return the files of a source: itself, annotations.xml in it or in its folders, else all its xml files."""
    if not source.is_dir():
        return [source]
    if (source / _FILE).is_file():
        return [source / _FILE]
    entries = list_folder(source, "folder")
    found = [entry / _FILE for entry in entries if (entry / _FILE).is_file()]
    found = found or [entry for entry in entries if entry.suffix.lower() == ".xml"]
    if not found:
        raise not_in_format(source, f"a folder with {_FORMAT} ({_FILE})")
    return found


def read_root(path: Path) -> Element:
    """Return the root element. The UserError for a file in another format names that format."""
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, OSError, ValueError, LookupError) as error:
        raise not_in_format(path, f"an XML file of {_FORMAT}") from error
    if root.tag != "annotations" or (root.find("image") is not None and root.find("track") is None):
        raise not_in_format(path, _FORMAT)
    return root


def read_labels(root: Element) -> list[str]:
    """Return the labels of the task or project that can be masks, in its order, without those of skeletons' parts."""
    labels = [label for label in root.iterfind("meta//labels/label") if label.find("parent") is None]
    names = [label.findtext("name") or "" for label in labels if label.findtext("type") not in _NO_AREA]
    return list(dict.fromkeys(name for name in names if name))


def read_tasks(root: Element, path: Path) -> list[Task]:
    """Return the tasks of a file: one, or those of a project."""
    several = list(root.iterfind("meta/project/tasks/task"))
    meta = root.find("meta")
    if meta is None:
        raise UserError(f"{path}: has no <meta>, which says how many frames the task has: export it anew")
    found = several or [element for name in ("task", "job") if (element := meta.find(name)) is not None]
    if not found:
        raise UserError(f"{path}: <meta> has no <task>, <job> or <project>: export {_FORMAT}")
    return [_task(element, meta, path, bool(several)) for element in found]


def _task(task: Element, meta: Element, path: Path, is_one_of_several: bool) -> Task:
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
    return Task(
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
