"""What a format is: what its reader is asked for, and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from mmdet.fileio.annotations.vis_json import VISJson


def _silent(done: int, total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertRequest:
    """What a reader is asked for: the source, and options. A format takes the options that its `Format` names."""

    source: Path
    frames: Path | None = None  # where the images or the video lie, if not beside the source
    extract_to: Path | None = None  # frames of videos are written here
    categories: Path | None = None  # a file of names
    category: str | None = None  # the one name of all objects
    only: Path | None = None  # a text file with the names of the videos to read, one a line
    split: str | None = None  # the part to read of a set that has several
    to: str | None = None  # categories of this public set instead of the file's own, see prepare.categories
    keep_empty: bool = False  # keep videos without an object
    stills: bool = False  # every image is a video of one frame, even with track ids
    boxes_as_masks: bool = False  # an object that has only a box gets the box as its mask
    binary: bool = False  # all pixels above 0 are one object
    missing_is_empty: bool = False  # a frame without labels shows nothing, instead of not being annotated
    report_progress: Callable[[int, int], None] = field(default=_silent, repr=False)  # done and total, of any unit


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Something of the source that is not in the result."""

    what: str  # in the plural: "objects without a track id"
    count: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """What a reader returns: the set, where its frames lie, what the source held and what of it was left out."""

    data: VISJson
    frames: Path  # the folder that file names are relative to: `img_prefix`
    read: Mapping[str, int]  # what the source holds: videos, frames, objects, masks, ...; see `report.WRITTEN`
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    only_videos: bool = False  # the source lists videos without annotations, as files of validation sets do


@dataclass(frozen=True, slots=True)
class Format:
    """A format that can be converted. Its reader is imported when it is used."""

    name: str  # as on the command line
    summary: str  # one line: what the source is
    reader: str  # "labelling_tools.coco:read_coco", below this package
    options: frozenset[str] = frozenset()  # fields of ConvertRequest, apart from `source`

    def read(self, request: ConvertRequest) -> Conversion:
        """Read the source. Raises UserError that names the file and the place of what cannot be read."""
        module, _, name = self.reader.partition(":")
        reader: Callable[[ConvertRequest], Conversion] = getattr(import_module(f"{__package__}.{module}"), name)
        return reader(request)
