"""Check annotation files and all their frames, and print what to write into a config.

    %(prog)s [DATA_ROOT]                    # everything in a folder, data/ by default
    %(prog)s ANN.json --img-prefix FOLDER   # one set; without --img-prefix the folder is searched
    %(prog)s ANN.json --decode              # and decode the frames, not only their headers
    %(prog)s ANN.json --draw DIR            # and draw the ground truth, one picture per video

Exit code 0, or 2 if there are faults, which are listed. Warnings are about things that may be intended.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmdet.config.ranges import Count
from mmdet.engine.process.arguments import CommandParser, within
from mmdet.errors import UserError
from mmdet.fileio.overwriting import check_output_folder, refuse_overwriting

if TYPE_CHECKING:
    from mmdet.datasets.vis_dataset import VISDataset


def main(argv: Sequence[str] | None = None) -> int:
    """Run the check; return the exit code."""
    parser = CommandParser(description=__doc__)
    parser.add_argument("path", nargs="?", type=Path, default=Path("data"), help="annotation file, or folder of sets")
    parser.add_argument("--img-prefix", type=Path, help="image folder of the annotation file")
    parser.add_argument("--decode", action="store_true", help="decode all frames, which finds damage inside of files")
    parser.add_argument("--draw", type=Path, metavar="DIR", help="draw the ground truth into this folder")
    parser.add_argument(
        "--videos", type=within(Count), default=20, metavar="N", help="videos of each set to draw (default: 20)"
    )
    args = parser.parse_args(argv)
    if args.img_prefix and args.path.is_dir():
        parser.error("--img-prefix belongs to one annotation file, not to a folder of sets")
    from mmdet.datasets.prepare.find_sets import find_ann_files

    try:
        if args.draw:
            check_output_folder(args.draw, "--draw")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    ann_files = find_ann_files(args.path) if args.path.is_dir() else [args.path]
    said = [] if ann_files else [f"FAULT: {args.path}: no annotation file found; data/README.md shows the layouts"]
    for ann_file in ann_files:
        try:
            said += _check(ann_file, args)
        except UserError as error:
            said.append(f"FAULT: {error}")
    for line in dict.fromkeys(said):
        print(line, file=sys.stderr)
    return 2 if any(line.startswith("FAULT") for line in said) else 0


def _check(ann_file: Path, args: Namespace) -> list[str]:
    """Print the figures of one set and draw it if asked to. Return its faults and warnings."""
    from mmdet.datasets.prepare.check_set import check_set
    from mmdet.datasets.prepare.findings import report_lines
    from mmdet.datasets.vis_dataset import VISDataset

    report = check_set(ann_file, args.img_prefix, args.decode)
    print("\n".join(report.lines), flush=True)
    said = list(report_lines(report.findings, ann_file))
    if args.draw and report.img_prefix:
        folder = args.draw / (ann_file.relative_to(args.path).with_suffix("") if args.path.is_dir() else "")
        dataset = VISDataset(str(ann_file), str(report.img_prefix), [], test_mode=True, check_files=False)
        said += [f"FAULT: {ann_file}: {fault}" for fault in _draw(dataset, folder, args.videos)]
    return said


def _draw(dataset: VISDataset, folder: Path, num_videos: int) -> list[str]:
    """Draw one sheet per video.

    Return the frames that cannot be read. Raises UserError if a file that it did not draw would be replaced.
    """
    from mmdet.fileio.pictures.drawn_jpeg import refuse_foreign
    from mmdet.fileio.pictures.frame_files import frame_path
    from mmdet.visualization.contact_sheet import TruthFrame, evenly_spaced, truth_sheet, write_sheet
    from mmdet.visualization.video_writer import picture_names

    faults, names = [], picture_names(dataset.videos)
    drawn_videos = evenly_spaced(len(dataset.videos), num_videos)
    sheets = {index: folder / f"{dataset.videos[index].video_id}.jpg" for index in drawn_videos}
    frame_paths = [frame_path(dataset.img_prefix, name) for video in dataset.videos for name in video.file_names]
    refuse_overwriting([folder], [dataset.ann_file, *frame_paths])
    refuse_foreign(sheets.values())
    for index in drawn_videos:
        frames = evenly_spaced(len(dataset.videos[index].file_names))
        try:
            drawn = [TruthFrame(*dataset.frame_truth(index, frame), caption=f"frame {frame}") for frame in frames]
            title = names[dataset.videos[index].video_id]
            write_sheet(sheets[index], truth_sheet(drawn, dataset.class_names, title))
        except UserError as error:
            faults.append(str(error))
    return faults
