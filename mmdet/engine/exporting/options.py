"""What `tools/export.py` is asked for, its formats, and where each is written. It imports nothing heavy."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from mmdet.config.ranges import Range
from mmdet.engine.process.arguments import CommandParser, within
from mmdet.errors import UserError, extra_remedy, shown
from mmdet.fileio.overwriting import check_output_files

ENDINGS = {"onnx": ".onnx", "torch-export": ".pt2", "aoti": ".aoti.pt2", "torchscript": ".ts"}  # by format
NEEDED = {"onnx": ("onnx", "onnxscript", "onnxruntime")}  # packages of the extra `export`, by format
DYNAMIC = "dynamic"
Side = Annotated[int, Range(1, 8192)]  # of a frame, pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """The options of the command line. Raises UserError for a package that is missing and for a file that exists."""

    config: str
    checkpoint: str
    formats: tuple[str, ...]
    size: tuple[int, int]  # (height, width) of the frames
    out: Path | None = None
    masks: bool = False  # whether masks are drawn in the exported model
    batch: int | None = 1  # frames per call; None: any number
    device: str = "cpu"
    time: bool = False
    cfg_options: tuple[str, ...] = ()
    trust_checkpoint: bool = False
    no_ema: bool = False  # export the weights of the last step instead of their moving average

    def __post_init__(self) -> None:
        for name in self.formats:
            missing = [package for package in NEEDED.get(name, ()) if find_spec(package) is None]
            if missing:
                raise UserError(f"--format {name} needs {', '.join(missing)}: {extra_remedy('export')}")
        self.targets()

    def targets(self) -> dict[str, Path]:
        """Return the file of every format. Raises UserError if one cannot be written or exists."""
        height, width = self.size
        stem = self.out or Path(f"{Path(self.config).stem}_{height}x{width}{'_masks' if self.masks else ''}")
        named = self.out is not None and len(self.formats) == 1
        targets = {name: stem if named else stem.with_name(stem.name + ENDINGS[name]) for name in self.formats}
        check_output_files({f"--out ({name})": path for name, path in targets.items()}, [self.config, self.checkpoint])
        for name, path in targets.items():
            ending = f".{ENDINGS[name].rpartition('.')[2]}"
            if path.suffix != ending:
                raise UserError(f"--out {path}: the name of a file for {name} ends with {ending}")
            if path.exists():
                raise UserError(f"{path} exists already: remove it, or name another file with --out")
        return targets


def parse_options(description: str | None, argv: Sequence[str] | None = None) -> ExportOptions:
    """Parse the command line."""
    parser = CommandParser(description=description)
    parser.add_argument("config", metavar="CONFIG", help="a file of configs/")
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="weights for it")
    parser.add_argument(
        "--format", dest="formats", nargs="+", choices=tuple(ENDINGS), default=["onnx"], help="default: onnx"
    )
    parser.add_option(
        "size",
        type=within(Side),
        nargs=2,
        required=True,
        metavar=("H", "W"),
        help="of the frames as the network sees them, after the config's transforms of testing",
    )
    parser.add_option(
        "out", type=Path, metavar="FILE", help="with several formats each adds its ending (default: CONFIG_HxW)"
    )
    parser.add_switch("masks", "draw the masks in the exported model, at the size of its input")
    parser.add_option(
        "batch", type=_frames, default=1, metavar="N|dynamic", help="frames per call (default: %(default)s)"
    )
    parser.add_option(
        "device", default="cpu", help="where it will run: cpu, cuda or the number of a GPU (default: cpu)"
    )
    parser.add_switch("time", "time every format against PyTorch")
    parser.add_option(
        "cfg_options", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="config values to override"
    )
    parser.add_switch("no_ema", "export the weights of the last step instead of their moving average")
    parser.add_switch("trust_checkpoint", "load any object from the checkpoint: only if you know where it comes from")
    return _options(parser.parse_args(argv))


def _options(args: Namespace) -> ExportOptions:
    settings = vars(args)
    lists = {name: tuple(settings.pop(name)) for name in ("size", "cfg_options")}
    formats = tuple(dict.fromkeys(settings.pop("formats")))
    return ExportOptions(formats=formats, size=lists["size"], cfg_options=lists["cfg_options"], **settings)


def _frames(text: str) -> int | None:
    """Return the number of frames, None for any."""
    if text == DYNAMIC:
        return None
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise ArgumentTypeError(f"expected a number of frames or {DYNAMIC}, got {shown(text)}")
