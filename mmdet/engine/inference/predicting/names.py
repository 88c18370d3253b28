"""The name under which the files of a source are written: never another's files, never the source's own.

NAME.json is the record of who wrote the files of that name: a later run on the same source gets the name again.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from mmdet.engine.inference.predicting.options import KINDS
from mmdet.errors import UserError
from mmdet.fileio.overwriting import check_output_folder, refuse_overwriting
from mmdet.fileio.results.predictions import read_info
from mmdet.fileio.sources.frame_source import VIDEO_ENDINGS
from mmdet.fileio.sources.names import names_of_path, unique_names
from mmdet.fileio.sources.source import Source

_PART_DIGITS = 4


def check_folder(out: Path) -> None:
    """Raise UserError unless `out` is a folder or can be created as one."""
    if not out.is_dir() and out.suffix.lower() in (*VIDEO_ENDINGS, ".json"):
        raise UserError(f"--out {out} is named like a file: give the folder for NAME.mp4 and NAME.json")
    check_output_folder(out, "--out")


def record_path(out: Path, name: str) -> Path:
    """Return the json of a name."""
    return out / f"{name}.json"


def identity_of(source: Source) -> str:
    """Return what tells a source from all others: its full path, with the pattern that chose images, or its address."""
    if source.path is None:
        return source.text
    path = source.path.resolve()
    return str(path / Path(source.text).name) if source.images else str(path)


def name_of_file(out: Path, source: Source, taken: Collection[str], save: Collection[str] = KINDS) -> str:
    """Choose the name for a source that has an end: that of an earlier run on it, or a free one.

    `taken`: names of this run; `save`: the kinds of output that are written under the name.
    Raises UserError if the plainest name is that of the source itself.
    """
    choices = [source.name] if source.path is None else names_of_path(source.path)
    names = list(dict.fromkeys(unique_names([[choice]])[0] for choice in choices))
    places = [place for place in _places(out, names[0], save) if not place.is_dir()]
    refuse_overwriting(places, [source.path, *source.images])
    identity = identity_of(source)
    return next(name for name in _numbered(names) if name not in taken and is_free(out, name, identity, save))


def name_of_part(out: Path, name: str) -> str:
    """Choose a new name for a part of a live source: NAME-0001, NAME-0002, ...; earlier recordings are kept."""
    parts = (f"{name}-{number:0{_PART_DIGITS}d}" for number in count(1))
    return next(part for part in parts if not any(map(os.path.lexists, _places(out, part, KINDS))))


def is_free(out: Path, name: str, identity: str, save: Collection[str] = KINDS) -> bool:
    """Return whether nothing is there under a name, or only what an earlier run on the same source wrote."""
    present = [path for path in _places(out, name, save) if os.path.lexists(path)]
    if not present:
        return True
    info = read_info(record_path(out, name))
    if info is None or info.get("source") != identity:
        return False
    own = {Path(file).parts[0] for file in files_of(info)}
    return all(path.name in own for path in present if path != record_path(out, name))


def files_of(info: dict[str, Any]) -> list[str]:
    """Return the outputs beside the json, of its run and of earlier ones, relative to the folder."""
    lists = (info.get(key) for key in ("files", "older_files"))
    return [file for files in lists if isinstance(files, list) for file in files if isinstance(file, str) and file]


def _places(out: Path, name: str, save: Collection[str]) -> list[Path]:
    """Return what is written under a name: the json, and the mp4 and the folder if `save` has something for them."""
    mp4 = [out / f"{name}.mp4"] if "video" in save else []
    folder = [out / name] if set(save) - {"video", "json"} else []
    return [record_path(out, name), *mp4, *folder]


def _numbered(names: list[str]) -> Iterator[str]:
    yield from names
    yield from (f"{names[-1]}-{number}" for number in count(2))
