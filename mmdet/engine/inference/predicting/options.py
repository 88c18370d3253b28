"""What a prediction is asked for: the options of `tools/predict.py` as one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdet.config.ranges import Fraction, Positive
from mmdet.errors import UserError, shown, suggestion

KINDS = ("video", "frames", "masks", "crops", "json", "coco", "csv", "cutout")
DEFAULT_KINDS = ("video", "json")
DEFAULT_THRESHOLD = 0.3
FASTEST_FPS = 1000
_MOST_EDGES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictOptions:
    """What to predict on, with which model, what to keep of it, and what to write."""

    config: str
    checkpoint: str
    sources: tuple[str, ...]
    out: Path = Path("predicted")
    threshold: Fraction | None = None  # None: the checkpoint's, else DEFAULT_THRESHOLD
    classes: tuple[str, ...] | None = None  # names or category ids; None: all
    max_det: int | None = None  # objects per frame
    start: str | None = None
    end: str | None = None
    stride: int = 1
    max_frames: int | None = None
    imgsz: tuple[int, ...] = ()  # short edge, or short and long edge, of the network's input
    fps: Positive | None = None  # None: the source's own times
    device: str | None = None
    amp: str = "off"
    cuda_graph: bool = False
    batch: int = 1  # frames of a file per run of the network
    cfg_options: tuple[str, ...] = ()
    save: tuple[str, ...] = DEFAULT_KINDS
    boxes: bool = False
    labels: bool = True
    trails: int = 0  # frames
    line_width: float = 1.0
    color_by: str = "track"
    sigma: bool = False
    show: bool = False
    resume: bool = False
    resize_to_first: bool = False
    segment_s: float = 300.0  # seconds of a live source per set of files
    trust_checkpoint: bool = False
    ema: bool = True  # take the moving average of the weights, if the checkpoint has one

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0 <= self.threshold <= 1:  # also refuses NaN
            raise UserError(f"--thresh {self.threshold:g}: scores lie between 0 and 1")
        if self.fps is not None and not 0 < self.fps <= FASTEST_FPS:  # also refuses NaN
            raise UserError(f"--fps {self.fps:g}: expected frames per second above 0, at most {FASTEST_FPS}")
        if len(self.imgsz) > _MOST_EDGES or (len(self.imgsz) == _MOST_EDGES and self.imgsz[0] > self.imgsz[1]):
            given = " ".join(map(str, self.imgsz))
            raise UserError(f"--imgsz {given}: give the short edge in pixels, or the short and the long one")

    def described(self) -> dict[str, Any]:
        """Return what the results depend on, apart from sources and model, as json content."""
        return {
            **({} if self.ema else {"no_ema": True}),
            "threshold": self.threshold,
            "classes": None if self.classes is None else list(self.classes),
            "max_det": self.max_det,
            "start": self.start,
            "end": self.end,
            "stride": self.stride,
            "max_frames": self.max_frames,
            "imgsz": list(self.imgsz),
            "fps": self.fps,
            "amp": self.amp,
            "resize_to_first": self.resize_to_first,
            "cfg_options": list(self.cfg_options),
            "save": list(self.save),
            "drawing": {
                "boxes": self.boxes,
                "labels": self.labels,
                "trails": self.trails,
                "line_width": self.line_width,
                "color_by": self.color_by,
                "sigma": self.sigma,
            },
        }


def split_list(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the words of values that may be separated by commas, spaces or both, without repetitions."""
    return tuple(dict.fromkeys(word.strip() for text in texts for word in text.split(",") if word.strip()))


def chosen_kinds(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the outputs that --save names. Raises UserError for one that there is not."""
    kinds = split_list(texts)
    for kind in kinds:
        if kind not in KINDS:
            raise UserError(f"--save {shown(kind)} is unknown; {suggestion(kind, KINDS)}")
    if not kinds:
        raise UserError(f"--save names nothing: give one or more of {','.join(KINDS)}")
    return kinds
