"""Say what a config's model is made of: parameters by part, operations and activations, strides, what levels see.

%(prog)s CONFIG [--size HEIGHT WIDTH ...] [--depth N] [--receptive]
Nothing is computed and no weights are read, so it takes seconds for any model and size; only --receptive computes.
"""

from __future__ import annotations

import json
from pathlib import Path

from mmdet.config import find_config, load_config
from mmdet.config.ranges import Count
from mmdet.engine.process.arguments import CommandParser, within
from mmdet.fileio.overwriting import check_output_files

DEFAULT_SIZE = (480, 864)  # the published recipe's largest input


def main() -> None:
    """Count and print."""
    parser = CommandParser(description=__doc__)
    parser.add_argument("config", metavar="CONFIG")
    parser.add_option(
        "size",
        type=within(Count),
        nargs=2,
        action="append",
        metavar=("HEIGHT", "WIDTH"),
        help="of a frame as the network gets it; may be repeated (default: 480 864)",
    )
    parser.add_option("depth", type=within(Count), default=1, metavar="N", help="levels of parts (default: 1)")
    parser.add_switch("receptive", "find what part of the frame reaches a point of each level; computes some passes")
    parser.add_option("json", type=Path, metavar="OUT", help="write the counts to this file, too")
    parser.add_option("cfg_options", nargs="+", action="extend", default=[], metavar="KEY=VALUE")
    args = parser.parse_args()
    config = load_config(find_config(args.config), args.cfg_options)
    if args.json:
        check_output_files({"--json": args.json}, [config.source.filename])
    from mmdet.benchmark.model_info.describe import describe_model, format_info
    from mmdet.fileio.atomic import write_text_atomically

    sizes = [(height, width) for height, width in args.size or [DEFAULT_SIZE]]
    info = describe_model(config, sizes, args.depth, args.receptive)
    print(format_info(info))
    if args.json:
        write_text_atomically(args.json, json.dumps(info.to_plain(), indent=1))
