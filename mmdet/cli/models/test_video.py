"""Test a model on videos: %(prog)s CONFIG CHECKPOINT --out OUTPUT.pkl --eval segm [options].

Tracks every object through every video, writes the results and the submission json, scores them if there is a truth,
draws them, and makes a report of them.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from mmdet.config import AMP_NAMES, find_config, load_config
from mmdet.config.ranges import Fraction, Seed
from mmdet.engine.process.arguments import LAUNCHERS, CommandParser, within

if TYPE_CHECKING:
    from mmdet.engine.inference.testing.run import Tested
    from mmdet.engine.process.processes import Ranks


def parse_arguments(argv: list[str] | None = None) -> Namespace:
    """Parse the command line."""
    parser = CommandParser(description="Test a model on videos.")
    parser.add_argument("config", metavar="CONFIG", help="a config file, or a name of `memcnp configs`")
    parser.add_argument("checkpoint", metavar="CHECKPOINT", nargs="?", help="weights (not with --load_result)")
    parser.add_switch("trust_checkpoint", "load any object from the checkpoint: only if you know where it comes from")
    parser.add_switch("trust_classes", "take the checkpoint's classes for the data's, in order, whatever their names")
    parser.add_option(
        "map_categories",
        nargs="*",
        metavar="SET=MODEL",
        help="match the model's classes to the data's by name, and by these pairs or json files; score common ones",
    )
    parser.add_switch("no_ema", "test the weights of the last step instead of their moving average")
    _add_outputs(parser)
    parser.add_option("load_result", metavar="FILE", help="score or draw this .pkl or .json instead of testing")
    parser.add_switch("dump_bbox", "also write the boxes (xyxy) and labels of every frame into the results")
    parser.add_switch("join_tracks", "when a video is over, join tracks of one object (AppearanceTracker alone)")
    parser.add_switch("resume", "skip the videos that an interrupted test with the same --out has finished")
    parser.add_option("work_dir", help="folder for pictures (default: workdir/<name of the config>)")
    parser.add_option("gpus", type=int, default=1, help="processes to share the videos, one per GPU (default: 1)")
    parser.add_option(
        "launcher",
        choices=LAUNCHERS,
        default="none",
        help="who started the processes: torchrun (pytorch), srun (slurm)",
    )
    parser.add_option("amp", choices=AMP_NAMES, default="off", help="precision on GPUs (default: off, float32)")
    parser.add_option(
        "seed", type=within(Seed), default=0, help="seed for models with random parts; testing itself is not random"
    )
    parser.add_option(
        "cfg_options", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="config values to override"
    )
    return parser.parse_args(argv)


def _add_outputs(parser: CommandParser) -> None:
    """Add the options of what is written, drawn and scored."""
    parser.add_option("out", metavar="X.pkl", help="write the results here, and the submission json to X.pkl.json")
    parser.add_option("eval", nargs="+", choices=("segm", "bbox"), default=[], help="score by masks or boxes")
    parser.add_switch(
        "format_only", "write a checked submission (NAME.zip of --out, else submission.zip in the work dir)"
    )
    parser.add_switch("show", "draw the tracks: frames and one mp4 per video (opens no window)")
    parser.add_option("save_vis_path", metavar="DIR", help="where to draw to (default: vis/ in the work dir)")
    parser.add_option(
        "thresh",
        type=within(Fraction),
        help="draw tracks with at least this score (default: that of the best F1, from the checkpoint; else 0.2)",
    )
    parser.add_option(
        "report",
        nargs="?",
        const="",
        metavar="PATH",
        help="write a page of figures, errors and players (default: report.html beside --out, else in the work dir)",
    )


def run_here(ranks: Ranks, args: Namespace) -> None:
    """Test in this process."""
    # here, as they import torch: --help and a wrong option need none of it
    from mmdet.engine.inference.testing.options import InferenceOptions
    from mmdet.engine.inference.testing.run import run_test
    from mmdet.engine.process.randomness import seed_everything
    from mmdet.report.run import check_page, report_test

    given = [] if args.map_categories is None else [f"data.test.map_categories={args.map_categories!r}"]
    config = load_config(args.config, [*args.cfg_options, *given])
    pairs = config.data.test.map_categories
    seed_everything(args.seed)
    work_dir = Path(args.work_dir or config.work_dir or f"workdir/{config.name}")
    page = None if args.report is None else _page_path(args, work_dir)
    if page is not None:
        check_page(page, [config.source.filename, args.checkpoint, args.load_result])
    options = InferenceOptions(
        checkpoint=args.checkpoint,
        trust_checkpoint=args.trust_checkpoint,
        trust_classes=args.trust_classes,
        ema=not args.no_ema,
        join_tracks=args.join_tracks,
        map_categories=None if pairs is None else tuple(pairs),
        load_result=args.load_result,
        out=args.out,
        evaluate=tuple(dict.fromkeys(args.eval)),
        submission=_submission_path(args, work_dir) if args.format_only else None,
        show=args.show,
        show_folder=Path(args.save_vis_path or work_dir / "vis"),
        threshold=args.thresh,
        with_boxes=args.dump_bbox,
        amp=args.amp,
        resume=args.resume,
        report=page,
    )

    def report(tested: Tested) -> Path:
        assert page is not None
        return report_test(tested, page, config.name, args.config, args.checkpoint)

    run_test(config, ranks, options, report if page is not None else None)


def _page_path(args: Namespace, work_dir: Path) -> Path:
    """Return the page's path: as given, a folder or a file, else beside the results, else in the work dir."""
    given = Path(args.report) if args.report else Path(args.out).parent if args.out else work_dir
    return given if given.suffix.lower() in (".html", ".htm") else given / "report.html"


def _submission_path(args: Namespace, work_dir: Path) -> Path:
    return Path(args.out).with_suffix(".zip") if args.out else work_dir / "submission.zip"


def main() -> None:
    """Start the requested number of processes."""
    args = parse_arguments()
    args.config = str(find_config(args.config))
    from mmdet.engine.process.launch import launch

    launch(run_here, args.gpus, args.launcher, args)
