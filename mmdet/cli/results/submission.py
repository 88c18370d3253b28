"""Check a result file and pack it for an evaluation server.

All faults are listed; only results without faults are packed. %(prog)s RESULTS(.json|.pkl) --ann
VALID.json --out submission.zip
"""

from __future__ import annotations

import sys

from mmdet.engine.process.arguments import CommandParser
from mmdet.errors import UserError
from mmdet.fileio.overwriting import check_output_files

SHOWN = 100  # faults


def main() -> int:
    """Check and pack. Return the exit status: 2 for faults and bad input."""
    parser = CommandParser(description="Check and pack a submission.")
    parser.add_argument("results", help="result file")
    parser.add_argument("--ann", required=True, help="json of the data set; it needs no annotations")
    parser.add_argument("--out", default="submission.zip")
    args = parser.parse_args()
    from mmdet.fileio.annotations.vis_json import load_vis_json
    from mmdet.fileio.results.result_file import parse_results
    from mmdet.fileio.results.submission import find_faults, write_submission
    from mmdet.structures.same_tracks import describe_tracks

    try:
        check_output_files({"--out": args.out}, [args.results, args.ann])
        entries = parse_results(args.results)
        data = load_vis_json(args.ann)
        faults = find_faults(entries, data.videos, [category.category_id for category in data.categories])
        if not faults:
            write_submission(args.out, entries)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for fault in faults[:SHOWN]:
        print(fault, file=sys.stderr)
    if faults:
        print(f"{len(faults)} faults in {args.results}, nothing written", file=sys.stderr)
        return 2
    print(f"{args.out}: {describe_tracks(entries)}, ready to submit")
    return 0
