"""Generate the demo set (moving textured shapes, YouTube-VIS layout); does nothing if it already exists.

%(prog)s --root data/demo
"""

import json
import sys
import time
from argparse import Namespace
from pathlib import Path

from mmdet.engine.process.arguments import CommandParser
from mmdet.errors import UserError


def parse_arguments() -> Namespace:
    """Read the command line."""
    parser = CommandParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("data/demo"), help="folder to write (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same set (default: %(default)s)")
    parser.add_argument("--train-videos", type=int, default=160, help="default: %(default)s")
    parser.add_argument("--valid-videos", type=int, default=24, help="default: %(default)s")
    parser.add_argument("--length", type=int, default=12, help="frames per video (default: %(default)s)")
    parser.add_argument(
        "--size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), default=(128, 192), help="default: %(default)s"
    )
    return parser.parse_args()


def main() -> int:
    """Generate the set unless it exists; print its statistics."""
    arguments = parse_arguments()
    from mmdet.datasets.synthetic.demo_set import SPLITS, DemoParameters, generate_demo_set, has_demo_set

    root: Path = arguments.root
    parameters = DemoParameters(
        train_videos=arguments.train_videos,
        valid_videos=arguments.valid_videos,
        length=arguments.length,
        size=tuple(arguments.size),
        seed=arguments.seed,
    )
    if has_demo_set(root, parameters):
        print(f"{root}: the demo set is already there")
        return 0
    begin = time.perf_counter()
    try:
        generate_demo_set(
            root,
            parameters.train_videos,
            parameters.valid_videos,
            parameters.length,
            parameters.size,
            parameters.seed,
        )
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{root}: written in {time.perf_counter() - begin:.0f} s")
    for split in SPLITS:
        counts = json.loads((root / "annotations" / f"instances_{split}.json").read_text(encoding="utf-8"))["info"]["statistics"]
        hard = f"{counts['hard_fraction']:.0%} of them occluded by more than half or leaving and returning"
        print(f"{split}: {counts['tracks']} tracks, {counts['masks']} masks, {hard}")
    return 0
