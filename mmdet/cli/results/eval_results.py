"""Evaluate a result file against the ground truth: the official YouTube-VIS figures, and OVIS's if there are labels.

%(prog)s GT.json RESULTS [--bbox] [--ovis] [--class-agnostic] [--out FIGURES.json]

RESULTS is a json, a zip, a pickle, or a json of `memcnp predict` or the folder of such.
"""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from typing import Any

from mmdet.config.ranges import Count
from mmdet.engine.process.arguments import CommandParser, within
from mmdet.errors import UserError
from mmdet.fileio.atomic import write_text_atomically
from mmdet.fileio.overwriting import check_output_files


def parse_arguments() -> Namespace:
    """Parse the command line."""
    parser = CommandParser(description="Evaluate a result file; docs/evaluation.md defines the figures.")
    parser.add_argument("ground_truth", help="json of the data set, with annotations")
    parser.add_argument("results", help="result json, zip holding results.json, pickle, or what predict.py wrote")
    parser.add_argument("--bbox", action="store_true", help="measure box tracks instead of masks")
    parser.add_argument("--ovis", action="store_true", help="warn if labels for OVIS's figures are missing")
    parser.add_argument("--class-agnostic", action="store_true", help="score all categories as one too")
    parser.add_argument(
        "--map-categories",
        nargs="*",
        metavar="GT=RESULTS",
        help="match categories by name, and by these pairs or json files of pairs; score the common ones alone",
    )
    parser.add_argument(
        "--categories", metavar="FILE|SET", help="what ids in RESULTS mean: youtube_vis_2021, or a file with categories"
    )
    parser.add_argument("--strict", action="store_true", help="repeat the original's defect with annotation id 0")
    parser.add_argument("--diagnose", action="store_true", help="say how much AP wrong classes, tracks and masks cost")
    parser.add_argument("--hota", type=float, metavar="SCORE", help="HOTA, IDF1, MOTA of results of this score or more")
    parser.add_argument(
        "--workers", type=within(Count), default=1, metavar="N", help="processes to share the videos (default: 1)"
    )
    parser.add_argument("--out", metavar="FIGURES.json", help="write the figures here too")
    args = parser.parse_args()
    if args.bbox and (args.diagnose or args.hota is not None):
        parser.error("--diagnose and --hota work by masks, not with --bbox")
    if args.categories and args.map_categories is None:
        parser.error("--categories says what is to be matched by --map-categories: give both")
    return args


def main() -> int:
    """Print the tables. Return the exit status: 2 for bad input."""
    args = parse_arguments()
    try:
        check_output_files({"--out": args.out}, [args.ground_truth, args.results])
        figures = _evaluate(args)
        if args.out:
            text = json.dumps(figures, indent=1)
            write_text_atomically(args.out, text)
    except UserError as error:
        names_a_file = any(path in str(error) for path in (args.ground_truth, args.results, args.out) if path)
        where = "" if names_a_file else f"{args.ground_truth} with {args.results}: "
        print(f"error: {where}{error}", file=sys.stderr)
        return 2
    return 0


def _evaluate(args: Namespace) -> dict[str, Any]:
    """Print the requested tables and return their figures as json content."""
    from mmdet.evaluation.ap.evaluate import evaluate
    from mmdet.evaluation.ap.tables import format_agnostic, format_figures
    from mmdet.evaluation.association.hota import association_figures, format_association
    from mmdet.evaluation.diagnosis.diagnose import diagnose, format_diagnosis
    from mmdet.fileio.annotations.raw_json import load_ground_truth
    from mmdet.fileio.results.result_file import load_results

    truth = load_ground_truth(args.ground_truth)
    if args.map_categories is None:
        results = load_results(args.results, boxes=args.bbox, truth=truth)
    else:
        truth, results = _mapped(args, truth)
    settings: dict[str, Any] = {"iou_type": "bbox" if args.bbox else "segm", "strict": args.strict}
    figures = evaluate(truth, results, ovis=args.ovis or None, workers=args.workers, **settings)
    which = "all categories" if args.map_categories is None else f"{len(truth['categories'])} common categories"
    print(format_figures(figures, f"{'boxes' if args.bbox else 'masks'}, {which}"))
    found = figures.to_json()
    if args.class_agnostic:
        agnostic = evaluate(truth, results, class_agnostic=True, ovis=False, workers=args.workers, **settings)
        print("\n" + format_agnostic(agnostic))
        found["class_agnostic"] = agnostic.stats
    if args.diagnose:
        diagnosis = diagnose(truth, results, workers=args.workers)
        print("\n" + format_diagnosis(diagnosis))
        found["diagnosis"] = diagnosis.to_json()
    if args.hota is not None:
        found["association"] = association_figures(truth, results, args.hota)
        print("\n" + format_association(found["association"]))
    return found


def _mapped(args: Namespace, truth: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Print which categories are common; return the truth of these alone, and the results under its ids."""
    from mmdet.datasets.mapped_set import named_categories
    from mmdet.evaluation.other_categories import load_other_results

    own = named_categories(args.categories) if args.categories else None
    common = load_other_results(args.results, truth, own, args.map_categories, args.ground_truth, boxes=args.bbox)
    print(f"{common.table}\n")
    return common.truth, common.entries
