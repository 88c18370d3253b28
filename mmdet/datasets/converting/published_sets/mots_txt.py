"""Read the texts of MOTSChallenge and KITTI-MOTS: a line `frame id class height width rle` for every mask.

A frame without a line shows nothing, as in the official evaluation. Source: docs/convert/mots.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mmdet.datasets.converting.conversion import Conversion, ConvertRequest
from mmdet.datasets.converting.published_sets.collected import Collected, VideoObjects
from mmdet.datasets.converting.published_sets.layout import VideoFrames, find_images, find_video_frames, wanted_videos
from mmdet.datasets.converting.published_sets.mots_classes import (
    KITTI_MOTS,
    LABELS,
    MOTS_CHALLENGE,
    Classes,
    collect_objects,
    new_collection,
)
from mmdet.errors import UserError, shown
from mmdet.fileio.pictures.images import header_of, list_folder
from mmdet.ops.masks.segmentations import mask_areas, to_rles
from mmdet.structures import RLE, Size

_COLUMNS = "frame id class height width rle"
_GT = Path("gt", "gt.txt")  # in the folder of a video, beside its img1: the layout of MOTChallenge


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A mask of a text."""

    row: int  # from 1
    frame: int  # the number in the frame's file name
    number: int
    class_number: int
    mask: RLE | None  # None if it has no pixel


def read_mots_txt(request: ConvertRequest) -> Conversion:
    """Read MOTSChallenge's texts, or with `--categories` any of the same form."""
    return _read(request, MOTS_CHALLENGE)


def read_kitti_mots_txt(request: ConvertRequest) -> Conversion:
    """Read KITTI-MOTS's texts."""
    return _read(request, KITTI_MOTS)


def _read(request: ConvertRequest, classes: Classes) -> Conversion:
    texts = _texts(request.source)
    images = _images(request)
    collected = new_collection(request, request.source, classes)
    wanted = wanted_videos(request, texts, collected)
    for done, name in enumerate(wanted):
        request.report_progress(done, len(wanted))
        frames = find_video_frames(images, name, alone=len(texts) == 1)
        if frames is None:
            collected.leave_out("videos", f"no images in {images}", name=name)
            continue
        _read_video(texts[name], frames, collected)
    request.report_progress(len(wanted), len(wanted))
    return collected.conversion(images)


def _texts(source: Path) -> dict[str, Path]:
    """Return the texts by the name of their video."""
    if source.is_file():
        return {source.absolute().parents[1].name if source.parts[-2:] == _GT.parts else source.stem: source}
    if (source / _GT).is_file():
        return {source.absolute().name: source / _GT}
    listed = [path for path in list_folder(source, "folder of texts") if path.name != LABELS]
    texts = {path.stem: path for path in listed if path.suffix.lower() == ".txt"}
    texts |= {path.name: path / _GT for path in source.iterdir() if (path / _GT).is_file()}
    if not texts:
        raise UserError(f"{source} has no texts of MOTS: expected {source}/VIDEO.txt or {source}/VIDEO/gt/gt.txt")
    return texts


def _images(request: ConvertRequest) -> Path:
    """Return the folder of images: with MOTChallenge's layout the folder that has the folders of the videos."""
    source = request.source
    if request.frames is None:
        for path in (source, *([source.parents[1]] if source.parts[-2:] == _GT.parts else [])):
            if (path / "img1").is_dir():
                return path.parent
        if source.is_dir() and any((path / _GT).is_file() for path in source.iterdir()):
            return source
    return find_images(request, source)


def _read_video(path: Path, frames: VideoFrames, collected: Collected) -> None:
    size = header_of(frames.files[0]).upright
    places = _frame_places(frames)
    objects = VideoObjects(len(frames.files))
    strays: list[_Line] = []
    for line in _lines(path, size):
        place = places.get(line.frame)
        if place is None:
            strays.append(line)
            continue
        if line.mask is None:
            collected.leave_out("masks", "they have no pixel", name=f"line {line.row} of {frames.name}")
            continue
        objects.see(line.number, place, line.class_number, line.mask)
    if strays and not objects.by_key:
        collected.leave_out("videos", "none of their lines has a frame of its number", name=frames.name)
        return
    if strays:
        collected.leave_out(
            "masks", "no frame has their number", name=f"line {strays[0].row} of {frames.name}", count=len(strays)
        )
    video = collected.add_video(frames.file_names, size)
    collect_objects(objects, video, collected, path)
    masks = [seen.masks for seen in objects.by_key.values()]
    shown_frames = sum(any(mask is not None for mask in frame) for frame in zip(*masks, strict=True))
    collected.note("frames without a line, which show nothing: {}", len(frames.files) - shown_frames)


def _frame_places(frames: VideoFrames) -> dict[int, int]:
    """Return the index of a frame by the number that is its file name."""
    places: dict[int, int] = {}
    for index, path in enumerate(frames.files):
        if not path.stem.isdecimal():
            raise UserError(f"frame {path}: its name is no number, by which the texts of MOTS name frames")
        if int(path.stem) in places:
            raise UserError(f"{frames.files[places[int(path.stem)]]} and {path.name} are two frames of one number")
        places[int(path.stem)] = index
    return places


def _lines(path: Path, size: Size) -> Iterator[_Line]:
    """Yield the masks of a text. Raises UserError with the line that is wrong."""
    try:
        rows = [
            (number, line.split())
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
            if line.strip()
        ]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as a text of MOTS: {error}") from error
    for number, row in rows:
        _check_row(row, f"{path}:{number}", size)
    raw: list[RLE] = [{"size": [*size], "counts": row[5]} for _, row in rows]
    try:
        masks = to_rles(raw, size)
    except ValueError:
        masks = [_decodable(mask, f"{path}:{number}", size) for mask, (number, _) in zip(raw, rows, strict=True)]
    for (number, row), mask, area in zip(rows, masks, mask_areas(masks).tolist(), strict=True):
        frame, identity, class_number = map(int, row[:3])
        yield _Line(
            row=number,
            frame=frame,
            number=identity,
            class_number=class_number,
            mask=mask if area else None,
        )


def _check_row(row: list[str], place: str, size: Size) -> None:
    if len(row) != 6 or not all(word.isdecimal() for word in row[:5]):
        raise UserError(f"{place}: {shown(' '.join(row))} is no line of MOTS, expected: {_COLUMNS}")
    if (int(row[3]), int(row[4])) != size:
        raise UserError(f"{place}: the mask is {row[4]}x{row[3]}, the frames of its video are {size[1]}x{size[0]}")


def _decodable(mask: RLE, place: str, size: Size) -> RLE:
    try:
        return to_rles([mask], size)[0]
    except ValueError as error:
        raise UserError(f"{place}: the mask cannot be decoded: {error}") from error
