"""The command line of `tools/predict.py`. It imports nothing heavy."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from mmdet.config import AMP_NAMES
from mmdet.config.ranges import Count, Natural, Positive
from mmdet.engine.inference.predicting.options import (
    DEFAULT_KINDS,
    DEFAULT_THRESHOLD,
    KINDS,
    PredictOptions,
    chosen_kinds,
    split_list,
)
from mmdet.engine.process.arguments import CommandParser, within


def parse_options(description: str | None, argv: Sequence[str] | None = None) -> PredictOptions:
    """Parse the command line. Raises UserError for values that do not fit together."""
    parser = CommandParser(description=description)
    parser.add_argument("config", metavar="CONFIG", help="a config file, or a name of `memcnp configs`")
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="weights for it")
    parser.add_argument(
        "sources", metavar="SOURCE", nargs="+", help="videos, folders, patterns, lists, cameras, addresses"
    )
    parser.add_option("out", type=Path, default=Path("predicted"), metavar="DIR", help="default: predicted")
    _add_selection(parser)
    _add_network(parser)
    _add_outputs(parser)
    return _options(parser, parser.parse_args(argv))


def _add_selection(parser: CommandParser) -> None:
    parser.add_option(
        "thresh",
        type=float,
        metavar="SCORE",
        help="keep tracks with at least this score (default: the score of the best F1 at validation, from the "
        f"checkpoint; {DEFAULT_THRESHOLD} if it has none)",
    )
    parser.add_option("classes", nargs="+", metavar="CLASS", help="keep only these classes: names or category ids")
    parser.add_option("max_det", type=within(Count), metavar="N", help="at most so many objects per frame, the best")
    parser.add_option("start", metavar="WHEN", help="first frame: a number (120), seconds (4.5s) or a time (1:30)")
    parser.add_option("end", metavar="WHEN", help="the frame to stop before, likewise")
    parser.add_option("stride", type=within(Count), default=1, metavar="N", help="use every N-th frame")
    parser.add_option("max_frames", type=within(Count), metavar="N", help="use at most so many frames per source")
    parser.add_switch("resize_to_first", "give frames of other sizes that of the first one")


def _add_network(parser: CommandParser) -> None:
    parser.add_option(
        "imgsz",
        nargs="+",
        type=within(Count),
        default=(),
        metavar="PX",
        help="size at which the network sees frames: the short edge, or the short and the long one (default: config)",
    )
    parser.add_option("batch", type=within(Count), default=1, metavar="N", help="frames of a file per run (default: 1)")
    parser.add_option("device", help="cpu, cuda, or the number of a GPU (default: the first GPU if there is one)")
    parser.add_option("amp", choices=AMP_NAMES, default="off", help="precision on GPUs (default: off, float32)")
    parser.add_switch("cuda_graph", "on a GPU launch each frame at once: less waiting, same results")
    parser.add_option(
        "cfg_options", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="config values to override"
    )
    parser.add_switch("no_ema", "take the weights of the last step instead of their moving average")
    parser.add_switch("trust_checkpoint", "load any object from the checkpoint: only if you know where it comes from")


def _add_outputs(parser: CommandParser) -> None:
    parser.add_option(
        "save",
        nargs="+",
        default=DEFAULT_KINDS,
        metavar="KIND",
        help=f"what to write, separated by commas: {','.join(KINDS)} (default: {','.join(DEFAULT_KINDS)})",
    )
    parser.add_option("fps", type=float, help="frames per second of the mp4 (default: the times of the video)")
    parser.add_switch("boxes", "draw the boxes too")
    parser.add_switch("no_boxes", "draw no boxes, as is the default")
    parser.add_switch("no_labels", "draw no tags with id, class and score")
    parser.add_option("trails", type=within(Natural), default=0, metavar="N", help="draw the way of the last N frames")
    parser.add_option("line_width", type=within(Positive), default=1.0, metavar="FACTOR", help="of lines (default: 1)")
    parser.add_option("color_by", choices=("track", "class"), default="track", help="default: track")
    parser.add_switch("sigma", "draw how uncertain the sides of the boxes are")
    parser.add_switch("show", "show the drawn frames in a window, where there is a display")
    parser.add_switch("resume", "skip the sources that an earlier run with the same options has finished")
    parser.add_option(
        "segment",
        type=within(Positive),
        default=300.0,
        metavar="SECONDS",
        help="a camera or stream gets new files after so long (default: 300)",
    )


def _options(parser: CommandParser, args: Namespace) -> PredictOptions:
    if args.boxes and args.no_boxes:
        parser.error("--boxes and --no-boxes exclude each other")
    settings = vars(args)
    del settings["no_boxes"]
    classes = settings.pop("classes")
    return PredictOptions(
        sources=tuple(settings.pop("sources")),
        threshold=settings.pop("thresh"),
        classes=None if classes is None else split_list(classes),
        imgsz=tuple(settings.pop("imgsz")),
        cfg_options=tuple(settings.pop("cfg_options")),
        save=chosen_kinds(settings.pop("save")),
        ema=not settings.pop("no_ema"),
        labels=not settings.pop("no_labels"),
        segment_s=settings.pop("segment"),
        **settings,
    )
