"""Extract the frames of videos for labelling: %(prog)s VIDEO... --out DIR [options].

Each VIDEO is anything that `memcnp predict` reads: a file, a folder, a pattern in quotes, a list, a camera, an address.
Writes DIR/NAME/00000.jpg, upright, and DIR/instances.json, which lists the frames of all videos in the format of
docs/data.md, without annotations. The same command goes on after an interruption, and adds further videos.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmdet.config.ranges import Count, Positive
from mmdet.engine.process.arguments import CommandParser, within

if TYPE_CHECKING:
    from mmdet.engine.extracting.folder import ExtractedFolder


def main(argv: Sequence[str] | None = None) -> int:
    """Extract and say what to do next."""
    parser = CommandParser(description=__doc__)
    parser.add_argument("sources", nargs="+", metavar="VIDEO", help="docs/sources.md lists what can be named")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="new, or of an earlier extraction")
    parser.add_argument("--fps", type=within(Positive), metavar="N", help="use N frames per second")
    parser.add_argument("--stride", type=within(Count), default=1, metavar="N", help="use every N-th frame")
    parser.add_argument("--start", metavar="WHEN", help="first frame: a number (120), seconds (4.5s) or a time (1:30)")
    parser.add_argument("--end", metavar="WHEN", help="the frame to stop before, likewise")
    parser.add_argument("--max-frames", type=within(Count), metavar="N", help="use at most so many frames per video")
    parser.add_argument("--format", choices=("jpg", "png"), default="jpg", help="default: jpg; png is lossless")
    parser.add_argument("--quality", type=within(Count), default=95, metavar="1-100", help="of the jpg (default: 95)")
    parser.add_argument("--categories", type=Path, metavar="NAMES.txt", help="classes for the json, a name per line")
    parser.add_argument("--resize-to-first", action="store_true", help="give frames of other sizes that of the first")
    args = parser.parse_args(argv)
    from mmdet.engine.extracting.options import ExtractOptions
    from mmdet.engine.extracting.run import extract
    from mmdet.fileio.sources.selection import Selection

    settings = vars(args)
    chosen = {key: settings.pop(key) for key in ("start", "end", "stride", "fps", "max_frames")}
    sources = tuple(settings.pop("sources"))
    folder = extract(ExtractOptions(sources=sources, selection=Selection(**chosen), **settings))
    print(_next_steps(folder))
    return 0


def _next_steps(folder: ExtractedFolder) -> str:
    """Return what was written and what to do with it."""
    frames = sum(video.length for video in folder.videos)
    return f"""{len(folder.videos)} videos of {frames} frames: {folder.path}, listed in {folder.annotations}
Next: label {folder.path}/NAME/*.{folder.described["format"]} in a tool of your choice, and turn its export into a set:
  memcnp convert FORMAT EXPORT {folder.path}/labelled.json --frames {folder.path}
  memcnp check-data {folder.path}/labelled.json --img-prefix {folder.path} --draw drawn
and write into a config
  ann_file={str(folder.path / "labelled.json")!r}, img_prefix={str(folder.path)!r}"""
