"""Check annotation files and their frames, and say what to write into a config.

    python tools/check_data.py [DATA_ROOT]                    # everything in a folder, data/ by default
    python tools/check_data.py ANN.json --img-prefix FOLDER   # one set; without --img-prefix it is looked for
    python tools/check_data.py ANN.json --draw DIR            # and draw the ground truth, a picture a video

Exit code 0, or 2 if there are faults, which are listed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mmdet.datasets.frame_io import frame_path, missing_frames
from mmdet.datasets.layouts import figures_line, find_ann_files, find_img_prefix, first_frame_faults, mask_faults
from mmdet.datasets.vis_dataset import VISDataset
from mmdet.errors import UserError
from mmdet.fileio.vis_json import load_vis_json
from mmdet.visualization.contact_sheet import TruthFrame, evenly_spaced, truth_sheet, write_sheet


def main(argv: Sequence[str] | None = None) -> int:
    """Run the check; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", nargs="?", type=Path, default=Path("data"), help="annotation file, or folder of sets")
    parser.add_argument("--img-prefix", type=Path, help="image folder of the annotation file")
    parser.add_argument("--draw", type=Path, metavar="DIR", help="draw the ground truth into this folder")
    parser.add_argument("--videos", type=int, default=20, metavar="N", help="videos of each set to draw (default: 20)")
    args = parser.parse_args(argv)
    if args.img_prefix and args.path.is_dir():
        parser.error("--img-prefix belongs to one annotation file, not to a folder of sets")
    ann_files = find_ann_files(args.path) if args.path.is_dir() else [args.path]
    faults = [] if ann_files else [f"{args.path}: no annotation file found; data/README.md shows the layouts"]
    for ann_file in ann_files:
        try:
            faults += [f"{ann_file}: {fault}" for fault in _check(ann_file, args)]
        except UserError as error:
            faults.append(str(error))
    for fault in dict.fromkeys(faults):
        print(f"FAULT: {fault}", file=sys.stderr)
    return 2 if faults else 0


def _check(ann_file: Path, args: argparse.Namespace) -> list[str]:
    """Print the figures of one set and draw it on demand; return its faults."""
    data = load_vis_json(ann_file)
    img_prefix = args.img_prefix or find_img_prefix(ann_file, data)
    print(f"{ann_file}{'' if data.has_annotations else '  (no annotations: results cannot be measured with it)'}")
    if img_prefix is None:
        print(f"  {figures_line(data, '?')}")
        return ["no folder near it has its frames; name it by --img-prefix"]
    paths = [frame_path(img_prefix, name) for video in data.videos for name in video.file_names]
    missing = missing_frames(paths)
    print(f"  {figures_line(data, len(missing))}\n  ann_file={str(ann_file)!r}, img_prefix={str(img_prefix)!r}")
    faults = [f"{len(missing)} of {len(paths)} frames missing, first {missing[0]}"] if missing else []
    faults += first_frame_faults(data, img_prefix) + mask_faults(data)
    if args.draw:
        folder = args.draw / (ann_file.relative_to(args.path).with_suffix("") if args.path.is_dir() else "")
        faults += _draw(VISDataset(str(ann_file), str(img_prefix), [], True, check_files=False), folder, args.videos)
    return faults


def _draw(dataset: VISDataset, folder: Path, num_videos: int) -> list[str]:
    """Draw a sheet a video; return what cannot be read."""
    faults = []
    for index in evenly_spaced(len(dataset.videos), num_videos):
        frames = evenly_spaced(len(dataset.videos[index].file_names))
        try:
            drawn = [TruthFrame(*dataset.frame_truth(index, frame), caption=f"frame {frame}") for frame in frames]
            write_sheet(folder / f"{dataset.videos[index].video_id}.jpg", truth_sheet(drawn, dataset.class_names))
        except UserError as error:
            faults.append(str(error))
    return faults


if __name__ == "__main__":
    sys.exit(main())
