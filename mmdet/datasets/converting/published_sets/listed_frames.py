"""Frames that a json lists: which of them are there, and the folder that their names are relative to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from mmdet.datasets.converting.published_sets.collected import Collected
from mmdet.errors import UserError, short_list
from mmdet.fileio.pictures.images import header_of, size_fault
from mmdet.structures import Size


class FrameFolder:
    """A folder of images below which frames are looked up; each folder in it is listed once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._listed: dict[Path, frozenset[str]] = {}

    def has(self, name: str) -> bool:
        """Return whether the file `name` exists, a path relative to the root."""
        path = Path(name)
        folder = path.parent
        if folder not in self._listed:
            place = self.root / folder
            names = (entry.name for entry in place.iterdir()) if place.is_dir() else ()
            self._listed[folder] = frozenset(names)
        return path.name in self._listed[folder]


def find_frame_folder(source: Path, samples: Sequence[str], folders: Iterable[Path]) -> FrameFolder:
    """Return the first of `folders` that holds one of the `samples`, names of frames. Raises UserError if none does."""
    folders = list(dict.fromkeys(folders))
    for folder in folders:
        found = FrameFolder(folder)
        if folder.is_dir() and any(found.has(name) for name in samples):
            return found
    raise UserError(
        f"none of the frames of {source} is in {short_list([str(folder) for folder in folders], longest=200)}: "
        f"--frames names the folder that {samples[0] if samples else 'they'} is in"
    )


def has_its_frames(folder: FrameFolder, name: str, frames: Sequence[str], size: Size, collected: Collected) -> bool:
    """Return whether a video has frames of its size. Else notes that it is left out."""
    first = next((frame for frame in frames if folder.has(frame)), None)
    if first is None:
        collected.leave_out("videos", f"no images in {folder.root}", name=name)
        return False
    if size_fault(header_of(folder.root / first), size, first):
        collected.leave_out("videos", "their frames have another size than their masks", name=name)
        return False
    return True
