"""The frames of a labelled video: a folder of images, or a video file, which is written out as images.

Images are DIR/NAME/*.jpg or, of a single video, DIR/*.jpg; a video file is DIR/NAME or `--frames` itself.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import cv2

from mmdet.datasets.converting.conversion import ConvertRequest
from mmdet.errors import UserError
from mmdet.fileio.pictures.images import header_of
from mmdet.fileio.sources.frame_source import VIDEO_ENDINGS, FrameSource, folder_entries, open_source
from mmdet.structures import Size

_NUMBER_AT_END = re.compile(r"(\d{1,12})$")
_UNFINISHED = ".{}.unfinished"
_QUALITY = 95  # of the JPEGs


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFrames:
    """The frames of one video that are there, in order."""

    file_names: tuple[str, ...]  # relative to `FrameFinder.root`
    numbers: tuple[int, ...]  # of each frame in the source
    size: Size
    missing: int = 0  # frames that were wanted and are not there


class FrameFinder:
    """Finds the frames of the videos of a source, and writes those of video files into `--extract-to`."""

    def __init__(self, request: ConvertRequest, beside: Path, alone: bool = False) -> None:
        """`beside`: the folder to look in without `--frames`. `alone`: the source has only one video."""
        self._request, self._alone = request, alone
        self._place = request.frames or beside
        self._root: Path | None = None
        self.notes: list[str] = []

    @property
    def root(self) -> Path:
        """The folder that file names are relative to."""
        return self._root or self._place

    def find(self, name: str, wanted: Sequence[int] | None = None, also: Sequence[str] = ()) -> VideoFrames:
        """Return the frames of the video that the source calls `name`, such as `clip.mp4`.

        `wanted`: the numbers of its frames in the source, None for all. `also`: other names, looked for before it.
        Raises UserError that says where they were looked for.
        """
        plain = Path(name.replace("\\", "/"))
        paths = [*map(Path, also), plain]
        names = list(dict.fromkeys(way for path in paths for way in (path, path.with_suffix("")) if path.name))
        names += [Path(plain.name), Path(plain.stem)]
        if self._place.is_file():
            if not self._alone:
                raise UserError(f"--frames {self._place} is one file, the source has several videos: give their folder")
            return self._of_video(self._place, plain.stem, wanted)
        folders = [self._place / choice for choice in names]
        if self._alone:
            folders += [self._place, self._place / "images", *_only_folder(self._place)]
        for folder in folders:
            if folder.is_dir() and (images := folder_entries(folder)[0]):
                return self._of_images(images, name, wanted)
        files = [self._place / choice for choice in names]
        if video := next((path for path in files if path.suffix.lower() in VIDEO_ENDINGS and path.is_file()), None):
            return self._of_video(video, str(plain.with_suffix("")), wanted)
        raise UserError(
            f"no frames of video {name} in {self._place}: give --frames DIR with its images in DIR/{plain.stem}, or "
            "with the video itself, whose frames --extract-to DIR writes as images"
        )

    def _of_images(self, images: Sequence[Path], name: str, wanted: Sequence[int] | None) -> VideoFrames:
        """Match images with the wanted frames: one after the other if there are as many, else by their numbers."""
        self._use_root(self._place)
        wanted = range(len(images)) if wanted is None else wanted
        chosen = dict(zip(wanted, images, strict=False))
        if len(images) != len(wanted):
            ends = [_NUMBER_AT_END.search(path.stem) for path in images]
            numbered = {int(end[1]): path for end, path in zip(ends, images, strict=True) if end}
            chosen = {number: numbered[number] for number in wanted if number in numbered}
            if len(numbered) < len(images) or not chosen:
                raise UserError(
                    f"video {name} has {len(wanted)} frames, {images[0].parent} {len(images)} images, whose names do "
                    "not end with the numbers of frames: give the folder with all of its frames"
                )
        return VideoFrames(
            file_names=tuple(path.relative_to(self._place).as_posix() for path in chosen.values()),
            numbers=tuple(chosen),
            size=header_of(next(iter(chosen.values()))).upright,
            missing=len(wanted) - len(chosen),
        )

    def _of_video(self, video: Path, name: str, wanted: Sequence[int] | None) -> VideoFrames:
        target = self._request.extract_to
        if target is None:
            raise UserError(f"{video} is a video: name a folder for its frames by --extract-to DIR")
        self._use_root(target)
        folder = target / name
        if folder.exists():
            raise UserError(
                f"{folder} is there already: if it holds the frames of {video}, give --frames {target} instead of "
                "--extract-to, else another folder"
            )
        frames = open_source(video)
        self.notes += frames.notes
        unfinished = folder.with_name(_UNFINISHED.format(folder.name))
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            unfinished.mkdir(parents=True)
            numbers, size = self._write(frames, unfinished, None if wanted is None else set(wanted), video)
            unfinished.rename(folder)
        except OSError as error:
            raise UserError(f"the frames of {video} cannot be written to {folder}: {error.strerror}") from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        if frames.loss:
            self.notes.append(f"{video}: {frames.loss}")
        return VideoFrames(
            file_names=tuple(f"{name}/{_frame_name(number)}" for number in numbers),
            numbers=tuple(numbers),
            size=size,
            missing=0 if wanted is None else len(wanted) - len(numbers),
        )

    def _write(self, frames: FrameSource, folder: Path, wanted: Set[int] | None, video: Path) -> tuple[list[int], Size]:
        """Write the wanted frames into a folder; return their numbers and their size."""
        last = max(wanted) if wanted else None
        total = frames.promised if last is None else last + 1
        numbers, size = [], None
        for number, frame in enumerate(frames):
            if wanted is None or number in wanted:
                height, width = frame.image.shape[:2]
                size = size or (height, width)
                if size != (height, width):
                    raise UserError(f"{frame.name} is {width}x{height}, the first frame {size[1]}x{size[0]}")
                bgr = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
                data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
                (folder / _frame_name(number)).write_bytes(data.tobytes())
                numbers.append(number)
            self._request.report_progress(number + 1, max(total or 0, number + 1))
            if number == last:
                break
        if size is None:
            raise UserError(f"{video} has none of the labelled frames: is it the video that was labelled?")
        return numbers, size

    def _use_root(self, root: Path) -> None:
        if self._root is not None and self._root != root:
            raise UserError(
                f"some videos lie in {self._place} as images, others as video files: extract those first "
                "(tools/extract_frames.py), so that all are images"
            )
        self._root = root


def _only_folder(place: Path) -> list[Path]:
    """Return the only folder below `images` of a place, as CVAT writes one for a subset."""
    below = place / "images"
    folders = [entry for entry in below.iterdir() if entry.is_dir()] if below.is_dir() else []
    return folders if len(folders) == 1 else []


def _frame_name(number: int) -> str:
    return f"{number:05d}.jpg"


def check_size(frames: VideoFrames, stated: Size | None, name: str, path: object) -> None:
    """Raise UserError if frames do not have the size that the source states."""
    if stated is not None and tuple(stated) != frames.size:
        raise UserError(
            f"{path}: the frames of {name} were {stated[1]}x{stated[0]} when they were labelled, "
            f"{frames.file_names[0]} is {frames.size[1]}x{frames.size[0]}: give the same frames"
        )
