"""The formats that results can be exported to: a line for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from mmdet.errors import UserError, suggestion
from mmdet.fileio.exporting.coco import coco_files, coco_names
from mmdet.fileio.exporting.cvat_video import cvat_files, cvat_names
from mmdet.fileio.exporting.labelme import labelme_files, labelme_names
from mmdet.fileio.exporting.mots import mots_png_files, mots_png_names, mots_txt_files, mots_txt_names
from mmdet.fileio.exporting.tracks import ExportOptions, ExportSet, Shapes

_BOTH: tuple[Shapes, ...] = ("polygon", "mask")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFormat:
    """A format: which files it writes, and their contents, one after the other."""

    summary: str
    back: str  # how `memcnp convert` reads the files; {} is OUT
    names: Callable[[ExportSet], Iterator[PurePosixPath]]
    files: Callable[[ExportSet, ExportOptions], Iterator[tuple[PurePosixPath, bytes]]]
    shapes: tuple[Shapes, ...] = _BOTH  # the first is the default
    ending: str | None = None  # of a single file
    only_one_file: bool = False


FORMATS = {
    "cvat-video": ExportFormat(
        summary='"CVAT for video 1.1": NAME.xml for each video, to be uploaded as annotations of its task',
        back="cvat-video {}/NAME.xml SET.json --frames IMAGES",
        names=cvat_names,
        files=cvat_files,
        ending=".xml",
    ),
    "labelme": ExportFormat(
        summary="a json for each frame, NAME/00000.json, to lie beside the images",
        back="labelme {} SET.json --frames IMAGES",
        names=labelme_names,
        files=labelme_files,
    ),
    "coco": ExportFormat(
        summary="one json of COCO instances with track ids",
        back="coco {} SET.json --frames IMAGES",
        names=coco_names,
        files=coco_files,
        shapes=("mask", "polygon"),
        ending=".json",
        only_one_file=True,
    ),
    "mots-txt": ExportFormat(
        summary="NAME.txt for each video: frame id class height width rle",
        back="mots-txt {0} SET.json --frames IMAGES --categories {0}/classes.json",
        names=mots_txt_names,
        files=mots_txt_files,
        shapes=("mask",),
    ),
    "mots-png": ExportFormat(
        summary="NAME/00000.png of 16 bits for each frame: 1000 * class + number",
        back="mots-png {0} SET.json --frames IMAGES --categories {0}/classes.json",
        names=mots_png_names,
        files=mots_png_files,
        shapes=("mask",),
    ),
}


def find_format(name: str) -> ExportFormat:
    """Return a format by its name. Raises UserError with similar names."""
    if name not in FORMATS:
        raise UserError(f"unknown format {name}; {suggestion(name, list(FORMATS))}")
    return FORMATS[name]


def format_lines() -> list[str]:
    """Return a line for each format."""
    width = max(map(len, FORMATS))
    return [f"{name:{width}}  {entry.summary} ({' or '.join(entry.shapes)})" for name, entry in FORMATS.items()]
