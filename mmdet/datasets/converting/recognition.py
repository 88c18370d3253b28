"""Say what a source looks like, for the error about one that is not in the format that was named."""

from __future__ import annotations

import zipfile
from itertools import islice
from pathlib import Path
from xml.etree import ElementTree

from mmdet.errors import UserError
from mmdet.fileio.annotations.foreign_json import foreign_format, looks_own
from mmdet.fileio.annotations.json_fields import read_json

_LOOKED_AT = 50  # entries of a folder
_READS_IT = "python tools/convert.py {0} {1} OUT.json reads it"


def not_in_format(source: Path, expected: str) -> UserError:
    """Return the error for a source that is not what its format says, with what it looks like."""
    found = _description(source)
    return UserError(f"{source} is not {expected}{f': it {found}' if found else ''}")


def _description(source: Path) -> str | None:
    if source.is_dir():
        return _folder(source)
    if zipfile.is_zipfile(source):
        return "is a zip: unpack it and give the folder"
    if source.suffix.lower() == ".xml":
        return _xml(source)
    if source.suffix.lower() == ".json":
        return _json(source)
    return None


def _folder(folder: Path) -> str | None:
    entries = list(islice(folder.iterdir(), _LOOKED_AT))
    names = {entry.name for entry in entries}
    if not names:
        return "is empty"
    if names & {"data.yaml", "data.yml", "dataset.yaml"}:
        return f"looks like a YOLO set; {_READS_IT.format('yolo-seg', folder)}"
    if "annotations.xml" in names:
        return f"looks like an export of CVAT; {_READS_IT.format('cvat-video', folder)}"
    if "meta.json" in names and any((entry / "ann").is_dir() for entry in entries):
        return f"looks like a Supervisely project; {_READS_IT.format('supervisely', folder)}"
    first = next((entry for entry in entries if entry.suffix.lower() == ".json"), None)
    return f"holds {first.name}, which {found}" if first and (found := _json(first)) else None


def _xml(path: Path) -> str | None:
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, OSError, ValueError) as error:
        return f"cannot be read as XML: {error}"
    if root.tag != "annotations":
        return f"is an XML file of <{root.tag}>"
    if root.find("image") is not None:
        return 'is "CVAT for images", in which nothing says which shapes are one object: export "CVAT for video 1.1"'
    return f"is an export of CVAT; {_READS_IT.format('cvat-video', path)}"


def _json(path: Path) -> str | None:
    try:
        raw = read_json(path)
    except UserError:
        return "is not a json file, perhaps cut off while copying"
    if isinstance(raw, dict) and looks_own(raw):
        return "is an annotation file of this project's format already (docs/data.md)"
    return foreign_format(raw)
