"""Export results: check what was asked for, read, check that nothing is written over, write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mmdet.errors import UserError, short_list
from mmdet.fileio.atomic import write_atomically
from mmdet.fileio.exporting.formats import ExportFormat, find_format
from mmdet.fileio.exporting.labelme import labelme_files, with_image_folder
from mmdet.fileio.exporting.reading import load_tracks
from mmdet.fileio.exporting.tracks import ExportOptions, ExportSet, Shapes
from mmdet.fileio.overwriting import check_output_file, check_output_folder, refuse_overwriting
from mmdet.fileio.pictures.frame_files import frame_path

_LONGEST_PATH = 200  # characters, in an error


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """What to export, as what, and where to."""

    format: str
    results: Path
    out: Path
    ann_file: Path | None = None  # the json of the data set; None: the results name their videos themselves
    min_score: float = 0.0
    shapes: Shapes | None = None  # None: the format's own
    tolerance: float = 1.0  # pixels that a polygon may lie beside its mask
    frames: Path | None = None  # the folder of images that labelme's jsons point to, if not beside them


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written, and what was not."""

    data: ExportSet
    num_files: int
    left_out: Mapping[str, int]

    def lines(self) -> list[str]:
        """Return the figures and what was left out, a line each."""
        videos = self.data.videos
        tracks = sum(len(video.tracks) for video in videos)
        masks = sum(len(track.masks) for video in videos for track in video.tracks)
        return [
            f"{tracks} tracks with {masks} masks in {len(videos)} videos, {self.num_files} files",
            *(f"left out: {count} {what}" for what, count in self.left_out.items() if count),
        ]


def export(request: ExportRequest, report_progress: Callable[[int, int], None]) -> Exported:
    """Write the files of a format.

    Raises UserError before anything is written for results that cannot be read or do not fit, and for files that are
    there already, since they may have been corrected by hand.
    """
    entry = find_format(request.format)
    shapes = request.shapes or entry.shapes[0]
    if shapes not in entry.shapes:
        raise UserError(f"format {request.format} has no {shapes} shapes, only {', '.join(entry.shapes)}")
    if request.frames is not None and request.format != "labelme":
        raise UserError(f"format {request.format} names no images: leave --frames out")
    data = load_tracks(request.results, request.ann_file, request.min_score)
    targets = _targets(request, entry, data)
    _check_targets(request, targets)
    options = ExportOptions(shapes=shapes, tolerance=request.tolerance, frames=request.frames)
    images = iter([name for video in data.videos for name in video.info.file_names])
    for done, (target, (name, content)) in enumerate(zip(targets, entry.files(data, options), strict=True), start=1):
        if request.frames is not None and entry.files is labelme_files:
            content = with_image_folder(name, content, str(request.out), frame_path(request.frames, next(images)))
        write_atomically(target, lambda file, content=content: file.write(content))  # type: ignore[misc]
        report_progress(done, len(targets))
    left_out = {**data.left_out, **options.lost}
    return Exported(data=data, num_files=len(targets), left_out=left_out)


def _targets(request: ExportRequest, entry: ExportFormat, data: ExportSet) -> list[Path]:
    """Return where each file goes: OUT itself is a single file if it is named like one."""
    names = list(entry.names(data))
    is_file = entry.ending is not None and request.out.suffix.lower() == entry.ending
    if not is_file and entry.only_one_file:
        raise UserError(f"{request.out}: format {request.format} writes one file, name it NAME{entry.ending}")
    if is_file and len(names) != 1:
        raise UserError(f"{request.out} is one file, the results have {len(names)} videos: give a folder")
    return [request.out] if is_file else [request.out / name for name in names]


def _check_targets(request: ExportRequest, targets: list[Path]) -> None:
    inputs = [request.results, request.ann_file]
    if targets == [request.out]:
        check_output_file(request.out, "OUT")
    else:
        check_output_folder(request.out, "OUT")
    refuse_overwriting(targets, inputs)
    there = [str(path) for path in targets if path.exists()]
    if there:
        raise UserError(
            f"{short_list(there, _LONGEST_PATH)} exist{'s' if len(there) == 1 else ''}: nothing is written over, since "
            "files may have been corrected; give another OUT"
        )
