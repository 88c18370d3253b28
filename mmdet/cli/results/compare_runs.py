"""Put training runs side by side: their figures, curves, and the config values in which they differ.

%(prog)s RUN... [--out DIR]
RUN: a work dir that a training wrote, or a folder of such. Prints tables; --out also writes DIR/runs.html with curves.
"""

from __future__ import annotations

from pathlib import Path

from mmdet.engine.process.arguments import CommandParser


def main() -> None:
    """Print the tables, and write the page."""
    parser = CommandParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a work dir, or a folder of work dirs")
    parser.add_option("out", type=Path, metavar="DIR", help="write DIR/runs.html")
    parser.add_switch("best_first", "order the runs by their best AP (default: as they are named)")
    args = parser.parse_args()
    from mmdet.report.runs.page import compare_runs  # it imports torch, which --help does not need

    print(compare_runs(args.runs, args.out, args.best_first))
