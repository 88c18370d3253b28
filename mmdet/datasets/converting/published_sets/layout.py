"""Where a published set keeps its frames: folders of images beside annotations, and the frames of a video.

These are all images of its folder, or those that a json lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmdet.datasets.converting.conversion import ConvertRequest
from mmdet.datasets.converting.published_sets.collected import Collected
from mmdet.errors import UserError, short_list, shown
from mmdet.fileio.pictures.images import header_of, is_image_name, natural_key, size_fault
from mmdet.fileio.pictures.mask_png import frame_files
from mmdet.structures import Size

IMAGE_FOLDERS = ("JPEGImages", "images", "imgs", "image_02")
_IN_VIDEO = ("", "img1")  # where frames lie in the folder of a video; MOTChallenge: img1


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFrames:
    """The frames of a video, in natural order."""

    name: str
    files: list[Path]
    root: Path  # the folder that file names are relative to

    @property
    def file_names(self) -> list[str]:
        """The frames as the annotation json names them."""
        return [path.relative_to(self.root).as_posix() for path in self.files]


def find_images(request: ConvertRequest, annotations: Path, replaced: Iterable[str] = ()) -> Path:
    """Return the folder of images: `--frames`, else one near the annotations.

    Looks for IMAGE_FOLDERS beside `annotations` and the folders above it, with the same folders below: a part of the
    path that is named as one of `replaced` stands for IMAGE_FOLDERS. Raises UserError if there is none.
    """
    if request.frames:
        if not request.frames.is_dir():
            raise UserError(f"folder of images {request.frames} does not exist (--frames)")
        return request.frames
    parts = annotations.absolute().parts
    candidates = [
        Path(*parts[:index], name, *parts[index + 1 :])
        for index in range(len(parts) - 1, 0, -1)
        if parts[index] in set(replaced)
        for name in IMAGE_FOLDERS
    ]
    candidates += [annotations.absolute().parent / name for name in IMAGE_FOLDERS]
    for folder in candidates:
        if folder.is_dir():
            return as_given(folder, annotations)
    raise UserError(
        f"no folder of images is near {annotations} (its name would be {', '.join(IMAGE_FOLDERS)}): name it by --frames"
    )


def find_video_frames(images: Path, name: str, alone: bool = False) -> VideoFrames | None:
    """Return the frames of the video `name` below a folder of images; None if it has none.

    If the video is `alone`, its frames may lie in `images` itself.
    """
    for folder in [images / name / part for part in _IN_VIDEO] + [images] * alone:
        if folder.is_dir() and any(is_image_name(path) for path in folder.iterdir()):
            files = frame_files(folder)
            if files:
                return VideoFrames(name=name, files=files, root=images)
    return None


def wanted_videos(request: ConvertRequest, names: Iterable[str], collected: Collected) -> list[str]:
    """Return the names in natural order, without those that the file `--only` does not name, which are noted."""
    ordered = sorted(names, key=natural_key)
    if request.only is None:
        return ordered
    listed = _listed(request.only)
    unknown = [name for name in listed if name not in set(ordered)]
    if len(unknown) == len(listed):
        raise UserError(f"{request.only} names no video of {request.source}: it names {short_list(list(listed))}")
    for name in unknown:
        collected.leave_out("names in the file of --only", "no video has them", name=name)
    left = [name for name in ordered if name not in listed]
    collected.leave_out("videos", f"{request.only} does not name them", count=len(left))
    return [name for name in ordered if name in listed]


def _listed(path: Path) -> dict[str, None]:
    """Return the first word of every line, as split files and sequence maps have it."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as a text with a video's name in each line: {error}") from error
    names = dict.fromkeys(line.split()[0] for line in lines if line.split())
    if not names:
        raise UserError(f"{path} names no video; expected the name of a video in each line")
    return names


def as_given(folder: Path, near: Path) -> Path:
    """Return an absolute folder relative to the working folder if `near` was given so."""
    if near.is_absolute():
        return folder
    try:
        return folder.relative_to(Path.cwd())
    except ValueError:
        return folder


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
        f"--frames names the folder that {shown(samples[0]) if samples else 'they'} is in"
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
