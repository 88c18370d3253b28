"""What a conversion tells: a table of what was read, written and left out, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from mmdet.datasets.converting.conversion import Conversion
from mmdet.fileio.annotations.vis_json import VISJson

# What is counted in a result. A reader uses the same names for what it read of these, and any others beside them.
WRITTEN: dict[str, Callable[[VISJson], int]] = {
    "videos": lambda data: len(data.videos),
    "frames": lambda data: sum(len(video.file_names) for video in data.videos),
    "annotated frames": lambda data: sum(
        len(video.file_names) if video.annotated_frames is None else len(video.annotated_frames)
        for video in data.videos
    ),
    "objects": lambda data: len(data.tracks),
    "crowds": lambda data: sum(track.is_crowd for track in data.tracks),
    "masks": lambda data: sum(mask is not None for track in data.tracks for mask in track.segmentations),
    "categories": lambda data: len(data.categories),
}


def report_lines(conversion: Conversion) -> Iterator[str]:
    """Yield the table, then a line for each kind of thing that was left out, then the notes."""
    names = [*WRITTEN, *(name for name in conversion.read if name not in WRITTEN)]
    width = max(map(len, names))
    yield f"{'':{width}}  {'read':>9}  {'written':>9}"
    for name in names:
        read = conversion.read.get(name)
        written = WRITTEN[name](conversion.data) if name in WRITTEN else None
        if read or written:
            yield f"{name:{width}}  {_figure(read)}  {_figure(written)}"
    for left in conversion.left_out:
        if left.count:
            yield f"left out: {left.count} {left.what}: {left.why}"
    yield from (f"note: {note}" for note in conversion.notes)


def config_lines(conversion: Conversion, out: Path) -> tuple[str, str]:
    """Return the two lines of a config that use the result."""
    return f"ann_file={str(out)!r},", f"img_prefix={str(conversion.frames)!r},"


def _figure(value: int | None) -> str:
    return f"{'-' if value is None else value:>9}"
