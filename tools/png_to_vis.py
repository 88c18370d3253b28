"""Turn folders of frames and mask PNGs into a json to train on.

python tools/png_to_vis.py JPEGImages Annotations --out instances.json [--categories cats.json | --category NAME]

IMAGES/VIDEO/00000.jpg are the frames, ANNOTATIONS/VIDEO/00000.png (palette or grey) hold object ids: 0 is background,
255 void. cats.json: {"VIDEO": {"1": "dog"}}.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from mmdet.engine.process.arguments import CommandParser
from mmdet.engine.process.endings import run_command_line
from mmdet.errors import UserError
from mmdet.fileio.overwriting import check_output_files


def main(argv: Sequence[str] | None = None) -> int:
    """Convert; return the exit status: 2 for bad input."""
    parser = CommandParser(description=__doc__)
    parser.add_argument("images", type=Path, help="folder with one folder of frames per video")
    parser.add_argument("annotations", type=Path, help="folder with one folder of PNGs per video")
    parser.add_argument("--out", required=True, type=Path, metavar="OUT.json")
    parser.add_argument("--binary", action="store_true", help="all pixels above 0 are one object (DAVIS 2016)")
    parser.add_argument("--missing-is-empty", action="store_true", help="a frame without a PNG shows nothing")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--category", default="object", metavar="NAME", help="category of all objects (default: object)")
    which.add_argument("--categories", type=Path, metavar="cats.json", help="the category of every object")
    args = parser.parse_args(argv)
    from mmdet.datasets.prepare.png_to_vis import convert_pngs, load_names
    from mmdet.fileio.annotations.vis_json import write_vis_json

    try:
        check_output_files({"--out": args.out}, [args.images, args.annotations, args.categories])
        names = load_names(args.categories) if args.categories else None
        conversion = convert_pngs(
            args.images, args.annotations, args.category, names, args.binary, args.missing_is_empty
        )
        write_vis_json(conversion.data, args.out)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    data = conversion.data
    frames = sum(len(video.file_names) for video in data.videos)
    print(f"{args.out}: {len(data.videos)} videos, {len(data.tracks)} tracks, {len(data.categories)} categories")
    if frames > conversion.num_masked:
        said = "with nothing in them" if args.missing_is_empty else "not annotated (--missing-is-empty: with nothing)"
        print(f"without a PNG, so {said}: {frames - conversion.num_masked} of {frames} frames")
    if conversion.without_images:
        print(f"left out, as they have no images: {', '.join(conversion.without_images)}")
    return 0


if __name__ == "__main__":
    run_command_line(main)
