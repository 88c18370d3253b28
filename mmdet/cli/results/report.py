"""Make one page to open, report.html, of results: figures, errors, and a player of every video.

%(prog)s RESULTS --ann ANN.json --images DIR --out DIR [--compare RESULTS2] [--work-dir DIR]
RESULTS: those of a test (json, zip, pkl) or jsons of tracked videos. Without --ann there are tracks alone.
"""

from __future__ import annotations

from pathlib import Path

from mmdet.config.ranges import Count, Fraction
from mmdet.engine.process.arguments import CommandParser, within


def main() -> None:
    """Write the page and print its path."""
    parser = CommandParser(description=__doc__)
    parser.add_argument(
        "results", nargs="+", metavar="RESULTS", help="result json, zip or pkl, or jsons of tracked videos"
    )
    parser.add_option("out", required=True, type=Path, metavar="DIR", help="write DIR/report.html")
    parser.add_option("ann", metavar="ANN.json", help="json of the data set, with annotations for figures and errors")
    parser.add_option("images", metavar="DIR", help="folder that the file names of ANN.json are relative to")
    parser.add_option("compare", metavar="RESULTS2", help="results of another model on the same data, side by side")
    parser.add_option(
        "thresh", type=within(Fraction), help="show tracks of at least this score (default: that of the best F1)"
    )
    parser.add_option("work_dir", type=Path, metavar="DIR", help="of the training: its curves, config and versions")
    parser.add_option("title", help="of the page (default: the name of RESULTS)")
    parser.add_option("workers", type=within(Count), default=1, metavar="N", help="processes (default: 1)")
    args = parser.parse_args()
    from mmdet.report.run import PAGE, ReportOptions, make_report  # it imports torch, which --help does not need

    options = ReportOptions(
        page=args.out / PAGE,
        results=args.results,
        compared=args.compare,
        ann_file=args.ann,
        image_folder=args.images,
        threshold=args.thresh,
        work_dir=args.work_dir,
        title=args.title,
        workers=args.workers,
    )
    print(make_report(options))
