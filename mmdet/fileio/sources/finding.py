"""Find the videos that a user names: by files, folders, patterns and list files, mixed, in the order given."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from mmdet.errors import UserError, shown
from mmdet.fileio.pictures.images import is_image_name, names_of
from mmdet.fileio.sources.frame_source import folder_entries, why_no_images
from mmdet.fileio.sources.lists import read_list
from mmdet.fileio.sources.names import names_of_path, unique_names
from mmdet.fileio.sources.patterns import LIST_ENDING, is_pattern, match_pattern, videos_of_folder, why_missing
from mmdet.fileio.sources.senders.addresses import Address, find_address
from mmdet.fileio.sources.senders.connections import camera_index
from mmdet.fileio.sources.source import Source

_LONGEST = 4096  # characters, more than systems allow in a path


def find_sources(texts: Sequence[str]) -> list[Source]:
    """Return the videos that `texts` name, in their order; what is named twice is returned once.

    A text is a video file, a folder of images (one video) or of videos (each one), an image (a video of one frame), a
    pattern (the images of a folder are one video, in natural order), a camera (0, /dev/video0), an address
    (rtsp://...), or a list file (.txt) with one source per line. A file named like a camera is a file.
    Raises UserError that names what is wrong before anything is opened.
    """
    found: dict[object, Source] = {}
    for text in texts:
        for source in _sources_of(text, Path()):
            found.setdefault(_what(source), source)
    if not found:
        raise UserError("no source: give a video file, a folder of images, a pattern or a list of them")
    sources = _hint_at_stills(list(found.values()))
    names = unique_names([_name_choices(source) for source in sources])
    return [replace(source, name=name) for source, name in zip(sources, names, strict=True)]


def _what(source: Source) -> object:
    """Return what a source stands for, the same for different ways to write it."""
    return source.sender if source.path is None else (os.path.abspath(source.path), source.images)


def _sources_of(text: str, base: Path, in_list: bool = False) -> Iterator[Source]:
    """Yield the sources that a text names; `base`: the folder to which paths are relative."""
    if not text.strip() or "\0" in text or len(text) > _LONGEST:
        raise UserError(f"source {shown(text)} names nothing: give a video file or a folder of images")
    path = base / Path(text).expanduser()
    if not _exists(path):
        yield from _no_file(text, path, base, in_list)
    elif path.is_dir():
        yield from _of_folder(path, text)
    elif path.suffix.lower() == LIST_ENDING and path.is_file():
        yield from _of_list(path, in_list)
    elif (index := camera_index(text)) is not None and path.is_char_device():
        yield _camera(index)
    else:
        yield _file(path, text)


def _no_file(text: str, path: Path, base: Path, in_list: bool) -> Iterator[Source]:
    """Yield the sources of a text that is not the name of a file."""
    if (address := find_address(text)) is not None:
        yield Source(text=address.shown, name="", sender=address, is_live=not address.names_a_file)
    elif (index := camera_index(text)) is not None:
        yield _camera(index)
    elif is_pattern(text):
        yield from _of_pattern(text, base, in_list)
    else:
        raise UserError(why_missing(path))


def _camera(index: int) -> Source:
    return Source(text=f"camera {index}", name="", sender=index, is_live=True)


def _of_folder(folder: Path, text: str) -> Iterator[Source]:
    images, others = folder_entries(folder)
    if images:
        yield _file(folder, text)
        return
    videos = videos_of_folder(folder)
    if not videos:
        raise UserError(why_no_images(folder, others))
    yield from (_file(video, str(video)) for video in videos)


def _of_pattern(pattern: str, base: Path, in_list: bool) -> Iterator[Source]:
    matches = match_pattern(pattern, base)
    skipped = f"{pattern}: not read, because they are neither images nor videos: {names_of(matches.others)}"
    notes = (skipped,) if matches.others else ()
    for path, images in matches.videos.items():
        text = pattern if images else str(path)
        if len(images) == 1:
            yield replace(_file(images[0], str(images[0])), notes=notes)
        else:
            yield replace(_file(path, text), images=tuple(images), notes=notes)
        notes = ()
    for path in matches.lists:
        yield from _of_list(path, in_list)


def _of_list(path: Path, in_list: bool) -> Iterator[Source]:
    if in_list:
        raise UserError(f"{path} is a list in a list: name its sources in the first list")
    for number, line in read_list(path):
        try:
            yield from _sources_of(line, path.parent, in_list=True)
        except UserError as error:
            raise UserError(f"{path}, line {number}: {error}") from error


def _file(path: Path, text: str) -> Source:
    return Source(text=text, name="", path=Path(os.path.abspath(path)) if path.name in ("", "..") else path)


def _hint_at_stills(sources: list[Source]) -> list[Source]:
    """Add a note if several images of one folder are videos of one frame each, as after a shell expanded a pattern."""
    stills = [source for source in sources if source.path and is_image_name(source.path)]
    if len(stills) < 2 or len({source.path.parent for source in stills if source.path}) > 1:
        return sources
    note = (
        f"{len(stills)} images given singly are {len(stills)} videos of one frame; for one video give the folder, "
        "or a pattern in quotes"
    )
    return [replace(source, notes=(*source.notes, note)) if source is stills[0] else source for source in sources]


def _name_choices(source: Source) -> tuple[str, ...]:
    if isinstance(source.sender, Address):
        return source.sender.names
    return (f"camera{source.sender}",) if source.path is None else names_of_path(source.path)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long
        return False
