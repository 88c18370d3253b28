"""The sections of a config as dataclasses. Dicts with `type` are parts, which the registries build."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

from mmdet.config.ranges import Amount, Count, Factor, Fraction, Natural, Positive, Seed
from mmdet.errors import UserError, shown, suggestion

AmpName = Literal["bf16", "fp16", "off"]
AMP_NAMES: tuple[AmpName, ...] = get_args(AmpName)
LOGGERS = ("tensorboard", "wandb", "mlflow")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainData:
    """The training data. `ratios` are the shares of several datasets in an epoch.

    `map_categories`: the other datasets get the classes of the first, matched by name; [] or pairs SET=MODEL.
    """

    datasets: list[dict[str, Any]]
    ratios: list[Amount] | None = None  # one per dataset; None: every item of every dataset once per epoch
    repeat_threshold: Fraction | None = None  # classes in fewer of the videos come more often; None: none do
    batch_size: Count = 4  # pairs per process
    workers: Natural = 4  # loading processes per process
    map_categories: list[str] | None = None  # None: all datasets have the same classes in the same order
    max_bad_frames: Natural = 0  # unreadable frames that a run may replace by others; at one more it saves and ends

    def __post_init__(self) -> None:
        if not self.datasets:
            raise UserError("config.data.train.datasets: expected one or more")
        if self.ratios is not None and (len(self.ratios) != len(self.datasets) or not sum(self.ratios)):
            raise UserError(
                f"config.data.train.ratios: {shown(self.ratios)} for {len(self.datasets)} datasets; expected one "
                "number for each, not all of them 0"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalData:
    """The test data: videos of one dataset, read in chunks of frames.

    `map_categories`: the model's classes are matched to the dataset's by name, and common ones count alone.
    """

    dataset: dict[str, Any]
    chunk_size: Count = 4  # frames of one video per batch
    workers: Natural = 2
    map_categories: list[str] | None = None  # [] or pairs SET=MODEL; None: the classes are the same


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSection:
    """The data for training, for testing, and for validation during training (None: the test data)."""

    train: TrainData
    test: EvalData
    valid: EvalData | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSection:
    """The length of training, in epochs or in steps, and the learning rate over time (MODEL.md 6, last paragraph)."""

    epochs: Count | None = None
    steps: Count | None = None
    warmup_steps: Natural = 0
    warmup_ratio: Fraction = 1.0  # the first step's learning rate as a fraction of the full one
    warmup: Literal["linear", "constant"] = "linear"  # up to the full one, or at warmup_ratio until it ends
    decay: Literal["step", "cosine", "poly", "one_cycle", "constant"] = "step"  # "step": times gamma at every milestone
    milestones: list[Positive] = field(default_factory=list)
    milestone_unit: Literal["epoch", "fraction"] = "epoch"  # or a fraction of the whole run
    gamma: Factor = 0.1
    end_ratio: Fraction = 0.0  # the last learning rate as a fraction of the full one; not with "step" and "constant"
    power: Positive = 0.9  # of "poly"
    rise: Fraction = 0.3  # "one_cycle": the fraction of the run in which the learning rate rises
    start_ratio: Fraction = 0.04  # "one_cycle": the first learning rate as a fraction of the full one
    base_batch_size: Count | None = None  # pairs per step for which the learning rate is meant; see --auto-scale-lr

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.steps is None):
            raise UserError(
                f"config.schedule: give one of epochs and steps, got epochs={self.epochs}, steps={self.steps}"
            )
        if self.decay == "one_cycle" and self.warmup_steps:
            raise UserError(
                f"config.schedule.warmup_steps is {self.warmup_steps}, but decay 'one_cycle' has a rise of its own: "
                "set schedule.warmup_steps=0 and choose schedule.rise"
            )
        for earlier, later in pairwise(self.milestones):
            if earlier >= later:
                raise UserError(f"config.schedule.milestones: {shown(self.milestones)} do not rise; put them in order")
        if self.milestone_unit == "fraction" and self.milestones and self.milestones[-1] >= 1:
            raise UserError(
                f"config.schedule.milestones: {shown(self.milestones)} are fractions of the run, expected less than 1; "
                "for epochs set schedule.milestone_unit=epoch"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyStopSection:
    """When a run ends early, by the AP of its validations."""

    patience: Count  # so many validations in a row without a rise
    min_delta: Amount = 0.0  # a rise is by more than this; a fraction: 0.002 is 0.2 per cent


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeSection:
    """Settings of a run that do not define the model, and the few numbers of the training loop."""

    seed: Seed = 0
    amp: AmpName = "bf16"  # training on a GPU: bf16, fp16 or off; the CPU always computes in float32
    grad_clip: Positive | None = None  # L2 norm
    accumulate: Count = 1  # batches per optimiser step
    log_every: Count = 50  # steps
    loggers: list[str] = field(default_factory=lambda: ["tensorboard"])  # beside the work dir's own logs: LOGGERS
    checkpoint_every: Count = 1  # epochs
    checkpoint_every_steps: Count | None = None  # in addition to those at the ends of epochs
    validate_every: Count = 1  # epochs, with --validate
    early_stop: EarlyStopSection | None = None  # with --validate
    shown_videos: Natural = 2  # videos that a validation draws beside their truth for the loggers
    keep_last: Count = 3  # checkpoints
    keep_best: Natural = 0  # best ones by --validate to keep in addition to these and best.pth
    deterministic: bool = False  # reproducible runs on a GPU, more slowly
    cuda_graphs: bool = True  # training on a GPU, with accumulate 1: one launch each for forward and backward pass
    compile: bool = False  # training on a GPU: torch.compile fuses small operations; takes a while to start
    num_threads: Count | None = None  # CPU threads of torch; None: torch's own choice

    def __post_init__(self) -> None:
        for index, name in enumerate(self.loggers):
            if name not in LOGGERS:
                raise UserError(f"config.runtime.loggers: unknown {shown(name)}; {suggestion(name, LOGGERS)}")
            if name in self.loggers[:index]:
                raise UserError(f"config.runtime.loggers: {name} occurs twice")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmaSection:
    """A moving average of the weights (EMA), which is validated, tested and shipped in their place."""

    decay: Fraction = 0.999  # share that the average keeps in a step; below 1
    warmup: Count = 10  # in step t it keeps at most (1 + t) / (warmup + t); 1: the decay holds from the first step on

    def __post_init__(self) -> None:
        if self.decay >= 1:
            raise UserError("config.ema.decay is 1: the average would never move; expected less than 1, such as 0.999")


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomImports:
    """Python modules that register a user's own parts; they are imported before the config is checked.

    They are searched beside the config and its bases, then in `folders`, then on Python's path.
    """

    imports: list[str]
    folders: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """A whole experiment. Dicts with `type` are parts for the registries; sections are read directly."""

    model: dict[str, Any]
    tracker: dict[str, Any]
    data: DataSection
    optimizer: dict[str, Any]
    schedule: ScheduleSection
    runtime: RuntimeSection
    ema: EmaSection | None = None
    custom_imports: CustomImports | None = None
    custom_hooks: list[dict[str, Any]] = field(default_factory=list)
    work_dir: str | None = None
    source: Any = field(repr=False)  # mmengine's Config after loading and overrides: `source.dump(path)` writes it

    @property
    def name(self) -> str:
        """The name of the config file without its ending."""
        return Path(self.source.filename).stem
