"""Draw training pairs exactly as the model gets them: %(prog)s CONFIG [--out DIR] [--number N].

Each sheet shows key and reference after the transforms, with boxes, masks and identities, the points that the assigner
makes positive, and the points that write to the memory. DIR/index.html lists all sheets. Objects without any positive
point are named in red. Without --checkpoint points are chosen as by a network at its start.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from mmdet.config import find_config, load_config
from mmdet.config.ranges import Count, Natural, Seed
from mmdet.engine.process.arguments import CommandParser, within


def main() -> None:
    """Draw and print."""
    parser = CommandParser(description=__doc__)
    parser.add_argument("config", metavar="CONFIG")
    parser.add_option("out", type=Path, default=Path("browsed"), metavar="DIR", help="default: %(default)s")
    parser.add_option("number", type=within(Count), default=16, metavar="N", help="pairs to draw (default: 16)")
    parser.add_option("seed", type=within(Seed), help="of the order, pairing and transforms (default: the config's)")
    parser.add_option("epoch", type=within(Natural), default=0, help="whose pairs to draw, from 0 (default: 0)")
    parser.add_option(
        "split", choices=("train", "test"), default="train", help="test: pairs of the test set, with its transforms"
    )
    parser.add_option("checkpoint", metavar="FILE", help="choose points by what this network predicts")
    parser.add_switch("trust_checkpoint", "load any object from the checkpoint: only if you know where it comes from")
    parser.add_switch("no_ema", "with --checkpoint: its weights of the last step instead of their moving average")
    parser.add_option("device", help="with --checkpoint: cpu, cuda, or the number of a GPU (default: the first GPU)")
    parser.add_option("cfg_options", nargs="+", action="extend", default=[], metavar="KEY=VALUE")
    args = parser.parse_args()
    args.config = str(find_config(args.config))
    from mmdet.engine.browsing.run import BrowseOptions, browse  # it imports torch, which --help does not need
    from mmdet.engine.process.devices import chosen_device

    settings = {name: value for name, value in vars(args).items() if name not in ("config", "cfg_options", "device")}
    device = chosen_device(args.device if args.checkpoint else "cpu")
    config = load_config(args.config, args.cfg_options)
    print(browse(config, BrowseOptions(device=device, **settings), partial(print, flush=True)))
