"""Train a model as a config describes it: %(prog)s CONFIG [options].

Logs, checkpoints, the resolved config and the versions of everything go to the work dir. On Ctrl-C, SIGTERM or SIGHUP
the run finishes its step and saves; go on with `--resume_from auto`.
"""

from __future__ import annotations

from argparse import Namespace
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from mmdet.config import AMP_NAMES, find_config, load_config
from mmdet.config.ranges import Seed
from mmdet.engine.process.arguments import LAUNCHERS, CommandParser, within

if TYPE_CHECKING:
    from mmdet.engine.process.processes import Ranks


def parse_arguments(argv: list[str] | None = None) -> Namespace:
    """Parse the command line."""
    parser = CommandParser(description="Train a model as a config describes it.")
    parser.add_argument("config", metavar="CONFIG", help="a config file, or a name of `memcnp configs`")
    parser.add_option("work_dir", help="folder for all output (default: workdir/<name of the config>)")
    parser.add_option("gpus", type=int, default=1, help="data-parallel processes to start, one per GPU (default: 1)")
    parser.add_option(
        "launcher",
        choices=LAUNCHERS,
        default="none",
        help="who started the processes: torchrun (pytorch), srun (slurm)",
    )
    parser.add_option("load_from", metavar="FILE", help="start a new run from these weights")
    parser.add_switch("no_ema", "with --load_from: its weights of the last step instead of their moving average")
    parser.add_option("resume_from", metavar="FILE|auto", help="go on with a run; auto: from its latest checkpoint")
    parser.add_switch("trust_checkpoint", "load any object from these files: only if you know where they come from")
    parser.add_switch("validate", "validate during training and keep the best checkpoint")
    parser.add_option(
        "map_categories",
        nargs="*",
        metavar="SET=MODEL",
        help="give all data sets the classes of the first, matched by name, and by these pairs or json files of pairs",
    )
    parser.add_option("seed", type=within(Seed), help="same as --cfg-options runtime.seed=N")
    parser.add_switch("deterministic", "reproducible runs on a GPU, more slowly; same as runtime.deterministic=True")
    parser.add_switch("auto_scale_lr", "scale the learning rate by pairs per step / schedule.base_batch_size")
    parser.add_option("amp", choices=AMP_NAMES, help="same as --cfg-options runtime.amp=...; GPUs only")
    parser.add_option(
        "cfg_options", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="config values to override"
    )
    return parser.parse_args(argv)


def run_here(ranks: Ranks, args: Namespace) -> None:
    """Train in this process."""
    from mmdet.engine.training.resuming.starting_point import StartRequest
    from mmdet.engine.training.run import train  # here, as it imports torch: --help and a wrong option need none of it
    from mmdet.engine.training.work_dir import held_work_dir

    given = {"runtime.seed": args.seed, "runtime.amp": args.amp}
    overrides = [f"{key}={value}" for key, value in given.items() if value is not None]
    overrides += ["runtime.deterministic=True"] if args.deterministic else []
    if args.map_categories is not None:
        overrides.append(f"data.train.map_categories={args.map_categories!r}")
    config = load_config(args.config, [*args.cfg_options, *overrides])
    start = StartRequest(
        load_from=args.load_from, resume_from=args.resume_from, trusted=args.trust_checkpoint, ema=not args.no_ema
    )
    work_dir = Path(args.work_dir or config.work_dir or f"workdir/{config.name}")
    with held_work_dir(work_dir) if ranks.is_main else nullcontext():
        train(
            config,
            ranks,
            work_dir=work_dir,
            start=start,
            validate=args.validate,
            auto_scale_lr=args.auto_scale_lr,
        )


def main() -> None:
    """Start the requested number of processes."""
    args = parse_arguments()
    args.config = str(find_config(args.config))
    from mmdet.engine.process.launch import launch

    launch(run_here, args.gpus, args.launcher, args)
