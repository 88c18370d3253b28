"""Split an annotation file for validation: hold back whole videos, with every category in proportion.

%(prog)s instances_train.json --valid 0.1     # instances_train_train.json, instances_train_valid.json

Each part has its own videos and annotations and all other keys of the file. The images stay where they are.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmdet.engine.process.arguments import CommandParser
from mmdet.errors import UserError
from mmdet.fileio.annotations.json_fields import read_object
from mmdet.fileio.atomic import write_text_atomically
from mmdet.fileio.overwriting import check_output_files, check_output_folder


def main(argv: Sequence[str] | None = None) -> int:
    """Split and print the tracks of each category; return the exit status: 2 for bad input."""
    parser = CommandParser(description=__doc__)
    parser.add_argument("ann_file", type=Path, help="json with annotations")
    parser.add_argument("--valid", type=float, default=0.1, metavar="FRACTION", help="held back (default: 0.1)")
    parser.add_argument("--seed", type=int, default=0, help="another choice of videos (default: 0)")
    parser.add_argument("--out-dir", type=Path, metavar="DIR", help="default: the folder of the file")
    parser.add_argument("--force", action="store_true", help="overwrite existing parts")
    args = parser.parse_args(argv)
    from mmdet.datasets.prepare.split import track_table

    folder = args.out_dir or args.ann_file.parent
    paths = [folder / f"{args.ann_file.stem}_{part}.json" for part in ("train", "valid")]
    try:
        check_output_folder(folder, "--out-dir")
        check_output_files({f"the part {path.stem}:": path for path in paths}, [args.ann_file])
        present = [str(path) for path in paths if path.exists()]
        if present and not args.force:
            raise UserError(f"{', '.join(present)} exist: --force overwrites them, --out-dir names another folder")
        parts = _split(args.ann_file, args.valid, args.seed)
        for path, part in zip(paths, parts, strict=True):
            _write(path, part)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(track_table(*parts))
    print(*paths, sep="\n")
    return 0


def _split(path: Path, fraction: float, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    from mmdet.datasets.prepare.split import split_videos
    from mmdet.fileio.annotations.vis_json import load_vis_json

    load_vis_json(path)  # the check
    try:
        return split_videos(read_object(path), fraction, seed)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _write(path: Path, part: dict[str, Any]) -> None:
    text = json.dumps(part)
    write_text_atomically(path, text)
