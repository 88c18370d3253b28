"""Turn COCO instances into a json to train on: videos if they have track ids, else pseudo-videos of one frame each.

python tools/coco_to_vis.py instances_train2017.json --to youtube_vis_2021 --out coco_as_2021.json
python tools/coco_to_vis.py cvat_export.json --to none --out videos.json    # track_id (CVAT), CocoVID
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmdet.engine.process.arguments import CommandParser
from mmdet.engine.process.endings import run_command_line
from mmdet.errors import UserError
from mmdet.fileio.overwriting import check_output_files

if TYPE_CHECKING:
    from mmdet.datasets.prepare.coco_to_vis import CocoConversion

TARGETS = ("youtube_vis_2019", "youtube_vis_2021", "ovis")  # as in public_categories


def main(argv: Sequence[str] | None = None) -> int:
    """Convert; return the exit status: 2 for bad input."""
    parser = CommandParser(description=__doc__)
    parser.add_argument("instances", type=Path, help="json with COCO's images, annotations and categories")
    parser.add_argument(
        "--to", required=True, choices=[*TARGETS, "none"], help="categories of the result; none: those of the file"
    )
    parser.add_argument("--out", required=True, type=Path, metavar="OUT.json")
    parser.add_argument("--keep-empty", action="store_true", help="keep images or videos without annotations")
    parser.add_argument(
        "--stills", action="store_true", help="make a video of one frame from each image, even with track ids"
    )
    args = parser.parse_args(argv)
    from mmdet.datasets.prepare.coco_to_vis import convert_coco
    from mmdet.fileio.annotations.vis_json import write_vis_json

    try:
        check_output_files({"--out": args.out}, [args.instances])
        target = None if args.to == "none" else args.to
        conversion = convert_coco(args.instances, target, args.keep_empty, args.stills)
        write_vis_json(conversion.data, args.out)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    _tell(args, conversion)
    return 0


def _tell(args: Namespace, conversion: CocoConversion) -> None:
    """Print what was made, joined and left out."""
    data = conversion.data
    crowd = sum(track.is_crowd for track in data.tracks)
    if conversion.has_identities:
        frames = sum(len(video.file_names) for video in data.videos)
        what = f"{len(data.videos)} videos of {frames} frames, {len(data.tracks)} tracks ({crowd} crowd)"
    else:
        what = f"{len(data.videos)} pseudo-videos, {len(data.tracks)} annotations ({crowd} crowd)"
    print(f"{args.out}: {what}")
    for note in conversion.notes:
        print(note)
    if conversion.num_other:
        print(f"left out: {conversion.num_other} annotations of categories that {args.to} does not have")
    if conversion.num_empty:
        kind = "videos" if conversion.has_identities else "images"
        print(f"{'kept' if args.keep_empty else 'left out'}: {conversion.num_empty} {kind} without annotations")


if __name__ == "__main__":
    run_command_line(main)
