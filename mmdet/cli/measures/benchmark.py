"""Measure speed and memory: %(prog)s CONFIG [--mode train] [--size 480 864] [--json OUT].

train       whole training steps on made-up pairs, everything included
model       the network's forward pass, frames in batches and one by one
stream      frames of a video one after the other: latency from a decoded frame to its tracks with masks
end-to-end  from JPEG files to the result json, the way of a test
data        items, loading with workers, reading a large json, and how long training waits for its input
Without --checkpoint weights are random; their speeds equal those of trained weights, except where masks are encoded.
"""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from mmdet.config import AMP_NAMES, find_config, load_config
from mmdet.engine.process.arguments import CommandParser
from mmdet.errors import UserError
from mmdet.fileio.overwriting import check_output_files

if TYPE_CHECKING:
    import torch

MODES = ("train", "model", "stream", "end-to-end", "data")
PLAIN = (
    *("batch_size", "objects", "steps", "warmup", "amp", "compile", "cuda_graph", "workers", "videos", "frames"),
    *("index_videos", "checkpoint", "profile", "seed"),
)


def parse_arguments() -> Namespace:
    """Parse the command line."""
    parser = CommandParser(description=str(__doc__))
    parser.add_argument("config", metavar="CONFIG")
    parser.add_option("mode", choices=MODES, default="train")
    parser.add_option("size", type=int, nargs=2, action="append", metavar=("HEIGHT", "WIDTH"), help="may be repeated")
    parser.add_option("batch_size", type=int, help="pairs or frames (default: the config's)")
    parser.add_option("objects", type=int, help="objects per frame, made up or detected")
    parser.add_option("steps", type=int, help="timed: steps, frames or passes (default: the mode's)")
    parser.add_option("warmup", type=int, help="steps before the timed ones (default: the mode's)")
    parser.add_option("amp", choices=AMP_NAMES, help="on GPUs (default: training the config's, else off)")
    parser.add_switch("compile", "translate the network by torch.compile first")
    parser.add_switch("cuda_graph", "stream: launch every frame as one CUDA graph")
    parser.add_option("workers", type=int, help="loading processes (default: the config's)")
    parser.add_option("videos", type=int, default=2, help="made-up videos per split (default: %(default)s)")
    parser.add_option("frames", type=int, default=20, help="frames per video (default: %(default)s)")
    parser.add_option("index_videos", type=int, default=3000, help="videos in the annotation file to read")
    parser.add_switch("data", "read the config's own data instead of made-up videos")
    parser.add_option("device", help="default: cuda where there is one")
    parser.add_option("checkpoint", metavar="FILE", help="weights (default: random)")
    parser.add_option("profile", type=Path, metavar="FILE", help="profile a few steps of train, model or stream, too")
    parser.add_option("json", type=Path, metavar="OUT", help="write the report to this file, too")
    parser.add_option("seed", type=int, default=0)
    parser.add_option("cfg_options", nargs="+", action="extend", default=[], metavar="KEY=VALUE")
    return parser.parse_args()


def main() -> None:
    """Measure, print and write."""
    args = parse_arguments()
    args.config = str(find_config(args.config))
    import torch  # here, as --help and a wrong option need none of it

    from mmdet.benchmark.data import measure_data
    from mmdet.benchmark.network import measure_model, measure_training
    from mmdet.benchmark.report import format_cases, make_report
    from mmdet.benchmark.settings import BenchmarkSettings
    from mmdet.benchmark.video import measure_end_to_end, measure_stream
    from mmdet.fileio.atomic import write_text_atomically

    measures = (measure_training, measure_model, measure_stream, measure_end_to_end, measure_data)
    device = _device(args.device)
    sizes = tuple((height, width) for height, width in args.size) if args.size else None
    given = {name: getattr(args, name) for name in PLAIN}
    settings = BenchmarkSettings(device=device, sizes=sizes, own_data=args.data, **given)
    check_output_files({"--json": args.json, "--profile": args.profile}, [args.config, args.checkpoint])
    config = load_config(args.config, args.cfg_options)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    cases = dict(zip(MODES, measures, strict=True))[args.mode](config, settings)
    print(format_cases(cases))
    if args.json:
        write_text_atomically(args.json, json.dumps(make_report(args.mode, config, settings, cases), indent=1))


def _device(name: str | None) -> torch.device:
    import torch

    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError as error:
        raise UserError(f"--device {name}: expected cpu, cuda or cuda:0, cuda:1, ...") from error
    return torch.device("cuda", device.index or 0) if device.type == "cuda" else device
