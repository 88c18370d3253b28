"""Check annotation files and their frames, and say what to write into a config.

    python tools/check_data.py                                # everything in data/
    python tools/check_data.py DATA_ROOT                      # everything in a folder
    python tools/check_data.py ANN.json --img-prefix FOLDER   # one set; without --img-prefix it is looked for

Exit code 0, or 2 if there are faults, which are listed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mmdet.config import UserError
from mmdet.datasets.frame_io import frame_path, missing_frames
from mmdet.datasets.layouts import find_ann_files, find_img_prefix, first_frame_faults, mask_faults
from mmdet.datasets.vis_json import VISJson, load_vis_json

_COLUMNS = ("videos", "frames", "missing", "tracks", "crowd", "categories")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the check; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", nargs="?", type=Path, default=Path("data"), help="annotation file, or folder of sets")
    parser.add_argument("--img-prefix", type=Path, help="image folder of the annotation file")
    args = parser.parse_args(argv)
    if args.img_prefix and args.path.is_dir():
        parser.error("--img-prefix belongs to one annotation file, not to a folder of sets")
    ann_files = find_ann_files(args.path) if args.path.is_dir() else [args.path]
    faults = [] if ann_files else [f"{args.path}: no annotation file found; data/README.md shows the layouts"]
    for ann_file in ann_files:
        try:
            faults += _check(ann_file, args.img_prefix)
        except UserError as error:
            faults.append(str(error))
    for fault in faults:
        print(f"FAULT: {fault}", file=sys.stderr)
    return 2 if faults else 0


def _check(ann_file: Path, img_prefix: Path | None) -> list[str]:
    """Print the figures of one set; return its faults."""
    data = load_vis_json(ann_file)
    img_prefix = img_prefix or find_img_prefix(ann_file, data)
    if img_prefix is None:
        _print_figures(ann_file, data, "?")
        return [f"{ann_file}: no folder near it has its frames; name it by --img-prefix"]
    paths = [frame_path(img_prefix, name) for video in data.videos for name in video.file_names]
    missing = missing_frames(paths)
    _print_figures(ann_file, data, len(missing))
    print(f"  ann_file={str(ann_file)!r}, img_prefix={str(img_prefix)!r}")
    faults = [f"{len(missing)} of {len(paths)} frames missing, first {missing[0]}"] if missing else []
    faults += first_frame_faults(data, img_prefix) + mask_faults(data)
    return [f"{ann_file}: {fault}" for fault in faults]


def _print_figures(ann_file: Path, data: VISJson, missing: int | str) -> None:
    frames = sum(len(video.file_names) for video in data.videos)
    crowd = sum(track.is_crowd for track in data.tracks)
    figures = (len(data.videos), frames, missing, len(data.tracks), crowd, len(data.categories))
    print(f"{ann_file}{'' if data.has_annotations else '  (no annotations: results cannot be measured with it)'}")
    print("  " + "  ".join(f"{name} {figure}" for name, figure in zip(_COLUMNS, figures, strict=True)))


if __name__ == "__main__":
    sys.exit(main())
