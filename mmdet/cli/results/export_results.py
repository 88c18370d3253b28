"""Turn results into files of labelling tools, so that predictions can be corrected by hand.

    %(prog)s list                                    # the formats
    %(prog)s FORMAT RESULTS OUT [--ann ANN.json]     # docs/export_results.md

RESULTS is what `memcnp test` or `memcnp predict` wrote, or an annotation json; --ann is the json of the data set, which
results of `memcnp predict` do not need. `memcnp convert` reads the corrected files back.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from mmdet.config.ranges import Amount, Fraction
from mmdet.engine.process.arguments import CommandParser, within
from mmdet.errors import UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Export; return the exit code: 2 for bad input."""
    parser = CommandParser(description=__doc__)
    parser.add_argument("format", metavar="FORMAT", help="its name, or: list")
    parser.add_argument("results", metavar="RESULTS", nargs="?", type=Path, help="results, or a folder of predictions")
    parser.add_argument("out", metavar="OUT", nargs="?", type=Path, help="new file or folder")
    parser.add_argument("--ann", type=Path, metavar="ANN.json", help="json of the data set; it needs no annotations")
    parser.add_argument(
        "--min-score", type=within(Fraction), default=0.0, metavar="SCORE", help="leave out tracks below (default: 0)"
    )
    parser.add_argument("--shapes", choices=("polygon", "mask"), help="default: what the format's tool edits best")
    parser.add_argument(
        "--tolerance", type=within(Amount), default=1.0, metavar="PX", help="of polygons (default: 1; 0: exact)"
    )
    parser.add_argument("--frames", type=Path, metavar="DIR", help="images of labelme, if OUT is not their folder")
    args = parser.parse_args(argv)
    if args.format != "list" and (args.results is None or args.out is None):
        parser.error("give FORMAT RESULTS OUT, or: list")
    from mmdet.engine.process.terminal import progress_bar
    from mmdet.fileio.exporting.formats import FORMATS, format_lines
    from mmdet.fileio.exporting.run import ExportRequest, export

    if args.format == "list":
        print("\n".join(format_lines()))
        return 0
    settings = vars(args)
    request = ExportRequest(ann_file=settings.pop("ann"), **settings)
    try:
        with progress_bar(f"writing {request.out.name}") as report_progress:
            exported = export(request, report_progress)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("\n".join([f"{request.out}: {exported.lines()[0]}", *exported.lines()[1:]]))
    print(f"read back by: memcnp convert {FORMATS[request.format].back.format(request.out)}")
    return 0
