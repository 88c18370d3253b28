"""What a config may say: its sections, as dataclasses. Dicts with `type` are parts, which the registries build.

Knows nothing of files or of what the parts do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

AmpName = Literal["bf16", "fp16", "off"]
AMP_NAMES: tuple[AmpName, ...] = get_args(AmpName)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainData:
    """What is trained on. With several datasets each batch item is drawn from them in proportion to `ratios`."""

    datasets: list[dict[str, Any]]
    ratios: list[float] | None = None  # one a dataset; None: every item of every dataset once an epoch
    batch_size: int = 4  # pairs a process
    workers: int = 4  # loading processes a process


@dataclass(frozen=True, slots=True, kw_only=True)
class TestData:
    """What is tested on: videos of one dataset, in chunks of frames."""

    __test__ = False  # not a test, whatever pytest makes of the name
    dataset: dict[str, Any]
    chunk_size: int = 4  # frames of one video a batch
    workers: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSection:
    """The data of training, of testing, and of validation during training (None: the test data)."""

    train: TrainData
    test: TestData
    valid: TestData | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSection:
    """How long to train and how the learning rate moves (MODEL.md 6, last paragraph). One of epochs and steps."""

    epochs: int | None = None
    steps: int | None = None
    warmup_steps: int = 0
    warmup_ratio: float = 1.0  # the first step's learning rate as a fraction of the full one
    decay: str = "step"  # "step": times gamma at every milestone; "cosine": to zero at the end
    milestones: list[float] = field(default_factory=list)
    milestone_unit: str = "epoch"  # or "fraction" of the whole run
    gamma: float = 0.1
    base_batch_size: int | None = None  # pairs a step that the learning rate is meant for; see --auto-scale-lr


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeSection:
    """Everything about a run that does not change what is learned, and the few numbers of the training loop."""

    seed: int = 0
    amp: AmpName = "bf16"  # training on a GPU: bf16, fp16 or off; the CPU always computes in float32
    grad_clip: float | None = None  # L2 norm
    accumulate: int = 1  # batches an optimiser step
    log_every: int = 50  # steps
    checkpoint_every: int = 1  # epochs
    checkpoint_every_steps: int | None = None  # beside the epochs' ends
    validate_every: int = 1  # epochs, with --validate
    keep_last: int = 3  # checkpoints
    keep_best: int = 0  # beside them and best.pth, of those that --validate has scored
    deterministic: bool = False  # equal runs on a GPU, too, more slowly
    cuda_graphs: bool = True  # training on a GPU, with accumulate 1: launches forward and backward as one each
    compile: bool = False  # training on a GPU: fuses small operations by torch.compile, which takes a while to start
    num_threads: int | None = None  # of torch on the CPU; None: torch's own choice


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomImports:
    """Python modules that register a user's own parts; they are imported before the config is checked."""

    imports: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """A whole experiment. Dicts with `type` are built by the registries, sections are read as they are."""

    model: dict[str, Any]
    tracker: dict[str, Any]
    data: DataSection
    optimizer: dict[str, Any]
    schedule: ScheduleSection
    runtime: RuntimeSection
    custom_imports: CustomImports | None = None
    work_dir: str | None = None
    source: Any = field(repr=False)  # mmengine's Config, as loaded and overridden: `source.dump(path)` writes it

    @property
    def name(self) -> str:
        """The config file's name without its ending."""
        return Path(self.source.filename).stem
