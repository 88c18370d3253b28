"""Measure memory over a long made-up video: %(prog)s [--config CONFIG] [--frames 2000].

The config's model gets random weights, and thresholds and matching are set so that every frame has --objects tracks.
Prints a table over the frames, and the growth of memory in per cent after the first tenth of them.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from mmdet.config import find_config, load_config
from mmdet.engine.process.arguments import CommandParser
from mmdet.errors import UserError
from mmdet.fileio.overwriting import check_output_files

SAMPLES = 40  # lines of the table
NO_THRESHOLD = -1.0  # below every score
COLUMNS = ("frame", "objects", "rss", "results", "rest", "gpu_allocated", "gpu_peak", "gpu_reserved")


def main() -> None:
    """Measure and print."""
    parser = CommandParser(description="Measure memory over a long made-up video.")
    parser.add_option("config", default="configs/vitmae_cnp_contrast_ms_1x.py")
    parser.add_option("frames", type=int, default=2000)
    parser.add_option("size", type=int, nargs=2, default=(1080, 1920), metavar=("HEIGHT", "WIDTH"))
    parser.add_option("objects", type=int, default=20, help="detections per frame")
    parser.add_option("device", help="default: cuda where there is one")
    parser.add_option("json", type=Path, help="write the samples to this file, too")
    args = parser.parse_args()
    if min(args.frames, args.objects, *args.size) < 1:
        raise UserError("--frames, --objects and --size are at least 1")
    check_output_files({"--json": args.json}, [args.config])
    args.config = str(find_config(args.config))
    import torch  # here, as --help and a wrong option need none of it

    from mmdet.benchmark.memory import check_masks, growth, measure, smooth_masks, synthetic_frames
    from mmdet.engine.inference.predictor import VideoPredictor
    from mmdet.engine.process.devices import limit_threads
    from mmdet.fileio.atomic import write_text_atomically
    from mmdet.models.build import build_model

    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    every = max(1, args.frames // SAMPLES)
    check_masks(load_config(args.config))
    config = load_config(
        args.config,
        [
            f"model.postprocess.score_threshold={NO_THRESHOLD}",
            f"model.postprocess.max_per_image={args.objects}",
            "model.postprocess.nms_iou=1.0",  # nothing suppresses anything
            "tracker.matching=one_to_one",  # the greedy rule drops detections that claim one track
        ],
    )
    limit_threads(torch.device(device))
    torch.manual_seed(0)
    model = build_model(config)
    smooth_masks(model)
    predictor = VideoPredictor.from_model(model, config, device)
    print("MiB; `rest` is resident memory beyond the results kept\n" + "".join(f"{name:>14}" for name in COLUMNS))
    samples = []
    for sample in measure(predictor, synthetic_frames(args.frames, tuple(args.size)), tuple(args.size), every):
        samples.append(sample)
        print("".join(f"{round(getattr(sample, name), 1):>14}" for name in COLUMNS), flush=True)
    grown = growth(samples, args.frames // 10)
    print("growth after warm-up in per cent: " + ", ".join(f"{name} {value:.2f}" for name, value in grown.items()))
    if args.json:
        text = json.dumps({"samples": [asdict(sample) for sample in samples], "growth_per_cent": grown})
        write_text_atomically(args.json, text)
