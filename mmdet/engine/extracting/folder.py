"""The folder of extracted videos: DIR/NAME/00000.jpg, the record of whose frames these are, and the annotation file.

The record tells what is there already, so that the same command goes on after an interruption. A folder of a video
appears when it is complete.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmdet.errors import UserError, short_list
from mmdet.fileio.annotations.json_fields import get_list, read_object
from mmdet.fileio.annotations.vis_json import Category
from mmdet.fileio.atomic import write_text_atomically
from mmdet.fileio.overwriting import check_output_folder
from mmdet.fileio.sources.names import names_of_path, unique_names
from mmdet.fileio.sources.source import Source

RECORD, ANNOTATIONS = "extracted.json", "instances.json"
MADE_BY = "memcnp-vis extract"
_UNFINISHED = ".{}.unfinished"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractedVideo:
    """One video of the folder, as the record has it."""

    name: str  # of its folder
    source: str  # what it was read from, in full
    source_state: str | None  # changes when the source does; None for a camera or an address
    height: int
    width: int
    length: int  # frames
    fps: float  # of the extracted frames


class ExtractedFolder:
    """A folder with the videos that are extracted into it. Raises UserError if it holds anything of someone else.

    `described`: what decides the frames, which is one choice for all videos
    """

    def __init__(self, path: Path, described: dict[str, Any]) -> None:
        check_output_folder(path, "--out")
        self.path, self.described = path, described
        self._is_new = not path.exists()
        self.videos: list[ExtractedVideo] = []
        entries = [entry for entry in path.iterdir() if not _is_unfinished(entry)] if path.is_dir() else []
        if entries and not self._record.exists():
            names = short_list(sorted(entry.name for entry in entries))
            raise UserError(f"--out {path} holds other files ({names}): give a new or an empty folder")
        if entries:
            self._read_record()
            self._check_annotations()

    @property
    def annotations(self) -> Path:
        """The annotation file, which lists the videos."""
        return self.path / ANNOTATIONS

    @property
    def _record(self) -> Path:
        return self.path / RECORD

    def find(self, source: str, state: str | None) -> ExtractedVideo | None:
        """Return the video that was extracted from a source, None if there is none.

        Raises UserError if the source has changed since, or if frames were removed.
        """
        video = next((video for video in self.videos if video.source == source and state is not None), None)
        folder = self.path / video.name if video else None
        if video is None or folder is None or not folder.exists():
            return None
        remedy = f"remove the folder {folder} to extract it again, or give another --out"
        if video.source_state != state:
            raise UserError(f"{source} has changed since it was extracted to {folder}: {remedy}")
        if any(not (self.path / name).is_file() for name in self.file_names(video)):
            raise UserError(f"{folder} lacks some of the {video.length} frames of {source}: {remedy}")
        return video

    def choose_names(self, sources: Sequence[Source], identities: Sequence[str]) -> list[str]:
        """Return the name of the folder of each source: that of an earlier run, else a free one.

        Raises UserError if something else stands there already.
        """
        known = {video.source: video.name for video in self.videos if video.source_state is not None}
        choices = [(video.name,) for video in self.videos]
        new = [source for source, identity in zip(sources, identities, strict=True) if identity not in known]
        # the annotation file and the record are names, too
        reserved = [(RECORD,), (ANNOTATIONS,), *choices]
        free = iter(unique_names([*reserved, *map(_choices, new)])[len(reserved) :])
        names = [known[identity] if identity in known else next(free) for identity in identities]
        for name, identity in zip(names, identities, strict=True):
            if identity not in known and (self.path / name).exists():
                raise UserError(f"{self.path / name} is not of an earlier run: move it away, or give another --out")
        return names

    def file_names(self, video: ExtractedVideo) -> list[str]:
        """Return the file names of a video, relative to the folder."""
        return [f"{video.name}/{frame_name(index, self.described['format'])}" for index in range(video.length)]

    def start(self, name: str) -> Path:
        """Return a new empty folder for the frames of a video that is not complete yet."""
        folder = self.path / _UNFINISHED.format(name)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def discard(self, unfinished: Path) -> None:
        """Remove what is left of the frames of a video, and the whole folder if nothing has been written into it."""
        shutil.rmtree(unfinished, ignore_errors=True)
        if self._is_new and not self.videos:
            with suppress(OSError):  # something is in it after all
                self.path.rmdir()

    def add(self, video: ExtractedVideo, frames: Path) -> None:
        """Move the folder with the frames of a video to its place, and note it in the record.

        The record comes first: an entry without a folder is a video that is extracted again.
        """
        by_name = {known.name: known for known in self.videos}
        self.videos = list({**by_name, video.name: video}.values())  # a video that is extracted again keeps its place
        content = {"made_by": MADE_BY, "options": self.described, "videos": [asdict(entry) for entry in self.videos]}
        write_text_atomically(self._record, json.dumps(content, indent=1))
        frames.rename(self.path / video.name)

    def write_annotations(self, categories: Sequence[Category] | None) -> None:
        """Write the annotation file: all videos, no annotations. `categories`: None keeps those that are there."""
        there = self._raw_annotations()
        content = {
            "info": {"description": "frames of videos, to be labelled", "made_by": MADE_BY},
            "videos": [
                self._entry(number, video)
                for number, video in enumerate(self.videos, start=1)
                if (self.path / video.name).is_dir()
            ],
            "categories": there.get("categories", []) if categories is None else list(map(_category_entry, categories)),
            "annotations": [],
        }
        write_text_atomically(self.annotations, json.dumps(content, indent=1))

    def _entry(self, video_id: int, video: ExtractedVideo) -> dict[str, Any]:
        size = {"width": video.width, "height": video.height, "length": video.length}
        return {"id": video_id, "name": video.name, **size, "fps": video.fps, "file_names": self.file_names(video)}

    def _read_record(self) -> None:
        raw = read_object(self._record)
        if raw.get("made_by") != MADE_BY or not isinstance(raw.get("options"), dict):
            raise UserError(f"{self._record} is no record of extracted frames: give another --out")
        changed = [key for key, value in self.described.items() if raw["options"].get(key) != value]
        if changed:
            wanted = ", ".join(f"{key} {raw['options'].get(key)}" for key in changed)
            raise UserError(
                f"--out {self.path} holds frames extracted with other options ({wanted}): give the same, or another "
                "folder"
            )
        try:
            self.videos = [ExtractedVideo(**entry) for entry in get_list(raw, "videos", self._record)]
        except TypeError as error:
            raise UserError(f"{self._record} is damaged ({error}): give another --out") from error

    def _check_annotations(self) -> None:
        if self._raw_annotations().get("annotations"):
            raise UserError(
                f"{self.annotations} has annotations, which would be lost: give them a name of their own, so that "
                f"{ANNOTATIONS} lists the frames alone"
            )

    def _raw_annotations(self) -> dict[str, Any]:
        return read_object(self.annotations) if self.annotations.exists() else {}


def frame_name(index: int, ending: str) -> str:
    """Return the file name of a frame: `00017.jpg`."""
    return f"{index:05d}.{ending}"


def _choices(source: Source) -> tuple[str, ...]:
    """Return names for the folder of a source, the plainest first."""
    return (source.name,) if source.path is None else names_of_path(source.path)


def _category_entry(category: Category) -> dict[str, Any]:
    return {"id": category.category_id, "name": category.name, "supercategory": "object"}


def _is_unfinished(path: Path) -> bool:
    return path.name.startswith(".") and path.name.endswith(_UNFINISHED.format("").lstrip("."))
