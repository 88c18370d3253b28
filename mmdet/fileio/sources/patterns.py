"""Patterns of file names (`*`, `?`, `[...]`, and `**` for folders of any depth) as videos, in natural order."""

from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from mmdet.errors import UserError, short_list, suggestion
from mmdet.fileio.pictures.images import is_image_name, names_of, natural, natural_key
from mmdet.fileio.sources.frame_source import VIDEO_ENDINGS, folder_entries

LIST_ENDING = ".txt"
_MAGIC = re.compile(r"[*?[]")


@dataclass(slots=True)
class Matches:
    """What a pattern matches, in natural order."""

    videos: dict[Path, list[Path]] = field(default_factory=dict)  # videos, folders of images; or a folder and images
    lists: list[Path] = field(default_factory=list)  # if the pattern asks for them
    others: list[Path] = field(default_factory=list)  # files and folders that are no source


def is_pattern(text: str) -> bool:
    """Return whether a text has characters of a pattern."""
    return bool(_MAGIC.search(text))


def match_pattern(pattern: str, base: Path) -> Matches:
    """Return what a pattern matches; `base` is the folder from which it is read.

    The images of one folder are one video. Raises UserError if nothing matches or nothing of it can be read.
    """
    found = glob.glob(_with_real_names(pattern, base), root_dir=base, recursive=True)
    matches = Matches()
    for path in _once([base / name for name in sorted(found, key=natural_key)]):
        _sort_in(path, pattern, matches)
    if not found:
        raise UserError(_why_nothing(pattern, base))
    if not matches.videos and not matches.lists:
        raise UserError(f"{pattern} matches no video and no image, only {names_of(matches.others)}")
    return matches


def videos_of_folder(folder: Path) -> list[Path]:
    """Return the videos of a folder without images, in natural order; none if it has images."""
    images, others = folder_entries(folder)
    return [] if images else [path for path in others if is_video_name(path) and path.is_file()]


def is_video_name(path: Path) -> bool:
    """Return whether a file's name has the ending of a video."""
    return path.suffix.lower() in VIDEO_ENDINGS


def _with_real_names(pattern: str, base: Path) -> str:
    """Return a pattern of which the folders at the start that exist as they are written stand for themselves."""
    place, parts = base, []
    for part in Path(os.path.expanduser(pattern)).parts:
        place = place / part
        parts.append(glob.escape(part) if place.exists() else part)
    return os.path.join(*parts) + "/" * pattern.endswith("/")


def _once(paths: list[Path]) -> list[Path]:
    """Return the paths without those reached again through a link to a folder, as `**` does where one leads back.

    Links to files stay: a folder of frames may repeat one by links.
    """
    folders: dict[Path, object] = {}
    kept: dict[object, Path] = {}
    for path in sorted(paths, key=lambda path: len(path.parts)):  # the shortest of several ways
        if path.parent not in folders:
            folders[path.parent] = _identity(path.parent)
        kept.setdefault(_identity(path) if path.is_dir() else (folders[path.parent], path.name), path)
    chosen = set(kept.values())
    return [path for path in paths if path in chosen]


def _identity(folder: Path) -> object:
    about = folder.stat()
    return about.st_dev, about.st_ino


def _sort_in(path: Path, pattern: str, matches: Matches) -> None:
    """Add what one match stands for. A folder comes before what is in it, so its images are not added again."""
    if path.is_dir():
        images, _ = folder_entries(path)
        videos = [path] if images else videos_of_folder(path)
        matches.videos.update({video: [] for video in videos})
        if not videos and "**" not in pattern:
            matches.others.append(path)
    elif is_video_name(path):
        matches.videos[path] = []
    elif is_image_name(path):
        if matches.videos.get(path.parent) != []:
            matches.videos.setdefault(path.parent, []).append(path)
    elif path.suffix.lower() == LIST_ENDING and pattern.lower().endswith(LIST_ENDING):
        matches.lists.append(path)
    else:
        matches.others.append(path)


def _why_nothing(pattern: str, base: Path) -> str:
    """Return the error for a pattern without matches: which of its folders does not exist, or what the last holds."""
    plain = takewhile(lambda part: not is_pattern(part), Path(os.path.expanduser(pattern)).parts)
    folder = base.joinpath(*plain)
    if not folder.is_dir():
        return f"nothing matches {pattern}: {why_missing(folder)}"
    names = [path.name for path in sorted(folder.iterdir(), key=natural)]
    return f"nothing matches {pattern}: folder {folder} {'holds ' + short_list(names) if names else 'is empty'}"


def why_missing(path: Path) -> str:
    """Return that a path does not exist, with similar names of its folder, or which folder of it does not exist."""
    if not path.parent.is_dir():
        nearest = path.parent
        while not nearest.parent.is_dir():
            nearest = nearest.parent
        return f"folder {nearest} does not exist{_similar(nearest)}"
    if path.is_symlink():
        return f"{path} is a link to {path.readlink()}, which does not exist"
    return f"{path} does not exist{_similar(path)}"


def _similar(path: Path) -> str:
    try:
        near = suggestion(path.name, [entry.name for entry in path.parent.iterdir()])
    except OSError:
        return ""
    return f"; {near}" if near.startswith("did you mean") else ""
