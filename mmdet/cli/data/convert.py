"""Turn labelled videos in another format into an annotation json to train on.

    %(prog)s list                                    # the formats and their options
    %(prog)s FORMAT IN OUT.json [--frames DIR] ...   # docs/convert.md

Prints what was read, written and left out and why, and checks the result as `memcnp check-data` does.
Exit code 0, or 2 if IN cannot be read or the result has faults, which are listed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from mmdet.engine.process.arguments import CommandParser
from mmdet.errors import UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Convert; return the exit code."""
    parser = CommandParser(description=__doc__)
    parser.add_argument("format", metavar="FORMAT", help="its name, or: list")
    parser.add_argument("source", metavar="IN", nargs="?", type=Path, help="file or folder with the labels")
    parser.add_argument("out", metavar="OUT.json", nargs="?", type=Path)
    parser.add_argument("--frames", type=Path, metavar="DIR", help="images, or the video, if not beside IN")
    parser.add_argument("--extract-to", type=Path, metavar="DIR", help="write frames of videos here as images")
    parser.add_argument("--categories", type=Path, metavar="FILE", help="names of categories (the format says how)")
    parser.add_argument("--category", metavar="NAME", help="one category for all objects")
    parser.add_argument("--only", type=Path, metavar="FILE", help="text file that names the videos to read, one a line")
    parser.add_argument("--split", metavar="NAME", help="the part to read of a set that has several: train, val, ...")
    parser.add_argument("--to", metavar="SET", help="COCO's categories become those of youtube_vis_2019, ... or ovis")
    for name, description in SWITCHES.items():
        parser.add_argument(f"--{name}", action="store_true", help=description)
    args = parser.parse_args(argv)
    if args.format != "list" and (args.source is None or args.out is None):
        parser.error("give FORMAT IN OUT.json, or: list")
    from mmdet.datasets.converting.formats import format_lines
    from mmdet.datasets.converting.report import config_lines, report_lines
    from mmdet.datasets.converting.running import check_result, convert, request_of
    from mmdet.engine.process.terminal import progress_bar

    if args.format == "list":
        print("\n".join(format_lines()))
        return 0
    try:
        with progress_bar(f"reading {args.source.name}") as report_progress:
            request = request_of({**vars(args), "report_progress": report_progress})
            conversion = convert(args.format, request, args.out)
        print("\n".join([str(args.out), *report_lines(conversion)]), flush=True)
        findings = list(check_result(conversion, args.out))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("\n".join(findings), file=sys.stderr, end="\n" if findings else "")
    print("\n".join(config_lines(conversion, args.out)))
    return 2 if any(line.startswith("FAULT") for line in findings) else 0


SWITCHES = {
    "keep-empty": "keep videos or images without objects",
    "stills": "make a video of one frame from each image, even with track ids",
    "boxes-as-masks": "take the box of an object that has no mask as its mask",
    "binary": "all pixels above 0 are one object",
    "missing-is-empty": "a frame without labels shows nothing",
}
