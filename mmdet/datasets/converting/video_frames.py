"""The frames of a labelled video: a folder of images, or a video file, which is written out as images.

Images are DIR/NAME/*.jpg or, of a single video, DIR/*.jpg or those of the only folder in DIR; a video file is DIR/NAME
or `--frames` itself.
"""

from __future__ import annotations

import re
import shutil
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from mmdet.datasets.converting.conversion import ConvertRequest, LeftOut
from mmdet.errors import UserError, short_list
from mmdet.fileio.pictures.images import header_of
from mmdet.fileio.sources.frame_source import VIDEO_ENDINGS, FrameSource, folder_entries, open_source
from mmdet.structures import Size

_NUMBER_AT_END = re.compile(r"(\d{1,12})$")
_FRAME_NAME = re.compile(r"\d{5,12}\.jpg")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_LONGEST_NAME, _DEEPEST = 60, 10  # letters (of up to four bytes) of a folder's name, folders of a path
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
        self._lost: list[str] = []  # names of videos that are not there
        self.notes: list[str] = []

    @property
    def root(self) -> Path:
        """The folder that file names are relative to."""
        return self._root or self._place

    def left_out(self) -> tuple[LeftOut, ...]:
        """Return the videos that are not there. Raises UserError if none is."""
        if self._lost and self._root is None:
            raise self._nowhere(self._lost[0])
        if not self._lost:
            return ()
        why = f"their frames are not in {self._place}: {short_list(self._lost)}"
        return (LeftOut(what="videos", count=len(self._lost), why=why),)

    def find(self, name: str, wanted: range | None = None, also: Sequence[str] = ()) -> VideoFrames | None:
        """Return the frames of the video that the source calls `name`, such as `clip.mp4`.

        None if they are not there, but the source has other videos.
        `wanted`: the numbers of its frames in the source, None for all. `also`: other names, looked for before it.
        Raises UserError that says where the frames of an only video were looked for.
        """
        plain = _inside(name)
        names = list(dict.fromkeys(way for text in (*also, name) for way in _ways(_inside(text))))
        if self._place.is_file():
            if not self._alone:
                raise UserError(f"--frames {self._place} is one file, the source has several videos: give their folder")
            return self._of_video(self._place, _without_ending(plain).name, wanted)
        folders = [self._place / choice for choice in names]
        if self._alone:
            folders += [self._place, self._place / "images", *_only_folder(self._place / "images")]
        if images := _images_of(folders):
            return self._of_images(images, name, wanted)
        files = [self._place / choice for choice in names]
        if video := next((path for path in files if path.suffix.lower() in VIDEO_ENDINGS and path.is_file()), None):
            return self._of_video(video, _without_ending(plain).as_posix(), wanted)
        if self._alone and (images := _images_of(_only_folder(self._place))):
            return self._of_images(images, name, wanted)
        if self._alone:
            raise self._nowhere(name)
        self._lost.append(name)
        return None

    def _nowhere(self, name: str) -> UserError:
        bare = _without_ending(_inside(name)).name
        return UserError(
            f"no frames of video {name:.200} in {self._place}: give --frames DIR with its images in DIR/{bare}, or "
            "with the video itself, whose frames --extract-to DIR writes as images"
        )

    def _of_images(self, images: Sequence[Path], name: str, wanted: range | None) -> VideoFrames:
        """Match images with the wanted frames: one after the other if there are as many, else by their numbers."""
        self._use_root(self._place)
        wanted = range(len(images)) if wanted is None else wanted
        chosen = dict(zip(wanted, images, strict=False))
        if len(images) != len(wanted):
            ends = [_NUMBER_AT_END.search(path.stem) for path in images]
            numbered = {int(end[1]): path for end, path in zip(ends, images, strict=True) if end}
            chosen = {number: numbered[number] for number in sorted(numbered) if number in wanted}
            if len(numbered) < len(images) or not chosen:
                raise UserError(
                    f"video {name:.200} has {len(wanted)} frames, {images[0].parent} {len(images)} images, whose "
                    "names do not end with the numbers of frames: give the folder with all of its frames"
                )
        return VideoFrames(
            file_names=tuple(path.relative_to(self._place).as_posix() for path in chosen.values()),
            numbers=tuple(chosen),
            size=header_of(next(iter(chosen.values()))).upright,
            missing=len(wanted) - len(chosen),
        )

    def _of_video(self, video: Path, name: str, wanted: range | None) -> VideoFrames:
        target = self._request.extract_to
        if target is None:
            raise UserError(f"{video} is a video: name a folder for its frames by --extract-to DIR")
        self._use_root(target)
        folder = target / name
        frames = open_source(video)
        if folder.exists() and (found := _extracted_before(folder, frames, wanted)):
            self.notes.append(f"{folder} is there already, with the frames of {video.name}: they are used")
            return self._result(found, header_of(folder / _frame_name(found[0])).upright, name, wanted)
        if folder.exists():
            raise UserError(
                f"{folder} is there already, with other files than the frames of {video}: give another --extract-to"
            )
        self.notes += frames.notes
        unfinished = folder.with_name(_UNFINISHED.format(folder.name))
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            unfinished.mkdir(parents=True)
            numbers, size = self._write(frames, unfinished, wanted, video)
            unfinished.rename(folder)
        except OSError as error:
            raise UserError(f"the frames of {video} cannot be written to {folder}: {error.strerror}") from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        if frames.loss:
            self.notes.append(f"{video}: {frames.loss}")
        return self._result(numbers, size, name, wanted)

    @staticmethod
    def _result(numbers: Sequence[int], size: Size, name: str, wanted: range | None) -> VideoFrames:
        return VideoFrames(
            file_names=tuple(f"{name}/{_frame_name(number)}" for number in numbers),
            numbers=tuple(numbers),
            size=size,
            missing=0 if wanted is None else len(wanted) - len(numbers),
        )

    def _write(self, frames: FrameSource, folder: Path, wanted: range | None, video: Path) -> tuple[list[int], Size]:
        """Write the wanted frames into a folder; return their numbers and their size."""
        last = wanted[-1] if wanted else None
        total = frames.promised if last is None else last + 1
        numbers, size = [], None
        for number, frame in enumerate(frames):
            if wanted is None or number in wanted:
                height, width = frame.image.shape[:2]
                size = size or (height, width)
                if size != (height, width):
                    raise UserError(f"{frame.name} is {width}x{height}, the first frame {size[1]}x{size[0]}")
                (folder / _frame_name(number)).write_bytes(_coded(frame.image))
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


def _extracted_before(folder: Path, frames: FrameSource, wanted: range | None) -> list[int]:
    """Return the numbers of the frames in a folder if they are those that an earlier run wrote, else none.

    That is: exactly the wanted ones, as far as the video goes, and the first equals the video's.
    """
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    numbers = sorted(int(name.removesuffix(".jpg")) for name in names if _FRAME_NAME.fullmatch(name))
    length = frames.promised
    expected = range(length or 0) if wanted is None else wanted
    if length is not None:
        expected = expected[: bisect_left(expected, length)]
    if len(numbers) < len(names) or len(numbers) != len(expected) or not numbers or numbers != list(expected):
        return []
    first = next((frame for number, frame in enumerate(frames) if number == numbers[0]), None)
    is_same = first is not None and (folder / _frame_name(numbers[0])).read_bytes() == _coded(first.image)
    return numbers if is_same else []


def _inside(name: str) -> Path:
    """Return the name of a video as a relative path that does not lead upwards and can be one of a file."""
    parts = PurePosixPath(_CONTROL.sub("_", name).replace("\\", "/")).parts
    kept = [part[-_LONGEST_NAME:] for part in parts[-_DEEPEST:] if part not in ("/", "//", "..")]
    return Path(*kept) if kept else Path("video")


def _ways(path: Path) -> tuple[Path, ...]:
    """Return the names under which a video may be found, the most exact first."""
    bare = _without_ending(path)
    return path, bare, Path(path.name), Path(bare.name)


def _without_ending(path: Path) -> Path:
    return path.with_suffix("") if path.suffix.lower() in VIDEO_ENDINGS else path


def _coded(image: np.ndarray) -> bytes:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes())


def _images_of(folders: Iterable[Path]) -> list[Path]:
    """Return the images of the first folder that has some."""
    found = (folder_entries(folder)[0] for folder in folders if folder.is_dir())
    return next((images for images in found if images), [])


def _only_folder(place: Path) -> list[Path]:
    """Return the only folder in a place: CVAT writes one for a subset, `tools/extract_frames.py` one for a video."""
    folders = [entry for entry in place.iterdir() if entry.is_dir()] if place.is_dir() else []
    return folders if len(folders) == 1 else []


def _frame_name(number: int) -> str:
    return f"{number:05d}.jpg"


def check_size(frames: VideoFrames, stated: Size | None, name: str, path: object) -> None:
    """Raise UserError if frames do not have the size that the source states."""
    if stated is not None and tuple(stated) != frames.size:
        raise UserError(
            f"{path}: the frames of {name:.200} were {stated[1]}x{stated[0]} when they were labelled, "
            f"{frames.file_names[0]} is {frames.size[1]}x{frames.size[0]}: give the same frames"
        )
