"""Evaluate a result file against the ground truth of a data set: the official YouTube-VIS figures, OVIS's with labels.

python tools/eval_results.py GT.json RESULTS(.json|.zip|.pkl) [--class-agnostic] [--strict] [--out FIGURES.json]
"""

from __future__ import annotations

import argparse
import json
import sys

from mmdet.config import UserError
from mmdet.evaluation.results_io import load_ground_truth, load_results
from mmdet.evaluation.tables import format_figures
from mmdet.evaluation.vis_ap import evaluate
from mmdet.ops.files import write_atomically


def main() -> int:
    """Print the table; returns the exit status: 2 for bad input."""
    parser = argparse.ArgumentParser(description="Evaluate a result file.")
    parser.add_argument("ground_truth", help="json of the data set, with annotations")
    parser.add_argument("results", help="result json, zip holding results.json, or pickle")
    parser.add_argument("--class-agnostic", action="store_true", help="put all categories into one")
    parser.add_argument("--strict", action="store_true", help="repeat the original's defect with annotation id 0")
    parser.add_argument("--out", metavar="FIGURES.json", help="write the figures here too")
    args = parser.parse_args()
    try:
        figures = evaluate(
            load_ground_truth(args.ground_truth),
            load_results(args.results),
            strict=args.strict,
            class_agnostic=args.class_agnostic,
        )
        if args.out:
            text = json.dumps(figures.to_json(), indent=1)
            write_atomically(args.out, lambda file: file.write(text.encode()))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(format_figures(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
