"""The nouns of an export: videos with tracks, each track once, and how they are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from mmdet.fileio.annotations.vis_json import VideoInfo
from mmdet.structures import RLE

Shapes = Literal["polygon", "mask"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportTrack:
    """One object of a video. `track_id` is unique in its video, from 1."""

    track_id: int
    category_id: int
    score: float
    masks: Mapping[int, RLE]  # by frame, ascending; each has a pixel


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportVideo:
    """One video; its tracks are in the order of the results."""

    info: VideoInfo
    name: str  # of its file or folder; may have folders in it
    tracks: tuple[ExportTrack, ...]

    def seen_in(self, frame: int) -> Iterator[ExportTrack]:
        """Yield the tracks that a frame shows, the best first."""
        shown = (track for track in self.tracks if frame in track.masks)
        yield from sorted(shown, key=lambda track: -track.score)

    def stem(self, frame: int) -> str:
        """Return the name of a frame's file without its ending."""
        return PurePosixPath(self.info.file_names[frame]).stem


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSet:
    """What is exported. `class_names`: by category id, in the order of the file."""

    videos: tuple[ExportVideo, ...]
    class_names: Mapping[int, str]
    left_out: Mapping[str, int] = field(default_factory=dict)  # what was not exported, and how many


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """How tracks are written. `lost` counts what a writer cannot express."""

    shapes: Shapes
    tolerance: float = 1.0  # pixels that a polygon may lie beside its mask
    frames: Path | None = None  # the folder of images, for formats that name them
    lost: Counter[str] = field(default_factory=Counter)


def video_names(videos: Sequence[VideoInfo]) -> list[str]:
    """Return a name for each video: the folder of its frames, or `video_ID` if it has none or shares it."""
    folders = [PurePosixPath(video.file_names[0]).parent for video in videos]
    owners = Counter(folders)
    return [
        str(folder) if folder.name and owners[folder] == 1 and _is_inside(folder) else f"video_{video.video_id}"
        for folder, video in zip(folders, videos, strict=True)
    ]


def _is_inside(folder: PurePosixPath) -> bool:
    """Return whether a folder lies below the one that it is relative to."""
    return not folder.is_absolute() and ".." not in folder.parts and "\0" not in str(folder)
