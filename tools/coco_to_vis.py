"""Turn COCO instances into a json of pseudo-videos of one frame each, to train on beside videos.

python tools/coco_to_vis.py instances_train2017.json --to youtube_vis_2021 --out coco_as_2021.json
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from mmdet.engine.arguments import CommandParser
from mmdet.errors import UserError
from mmdet.fileio.overwriting import check_output_files

TARGETS = ("youtube_vis_2019", "youtube_vis_2021", "ovis")  # as in public_categories


def main(argv: Sequence[str] | None = None) -> int:
    """Convert; return the exit status: 2 for bad input."""
    parser = CommandParser(description="COCO instances as pseudo-videos of one frame each.")
    parser.add_argument("instances", type=Path, help="json with COCO's images, annotations and categories")
    parser.add_argument("--to", required=True, choices=[*TARGETS, "none"], help="whose categories; none: COCO's own")
    parser.add_argument("--out", required=True, type=Path, metavar="OUT.json")
    parser.add_argument("--keep-empty", action="store_true", help="keep images without annotations")
    args = parser.parse_args(argv)
    from mmdet.datasets.coco_conversion import convert_coco
    from mmdet.fileio.vis_json import write_vis_json

    try:
        check_output_files({"--out": args.out}, [args.instances])
        conversion = convert_coco(args.instances, None if args.to == "none" else args.to, args.keep_empty)
        write_vis_json(conversion.data, args.out)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    data = conversion.data
    crowd = sum(track.is_crowd for track in data.tracks)
    print(f"{args.out}: {len(data.videos)} pseudo-videos, {len(data.tracks)} annotations ({crowd} crowd)")
    if conversion.num_other:
        print(f"left out: {conversion.num_other} annotations of categories that {args.to} does not have")
    if conversion.num_empty:
        print(f"{'kept' if args.keep_empty else 'left out'}: {conversion.num_empty} images without annotations")
    return 0


if __name__ == "__main__":
    sys.exit(main())
