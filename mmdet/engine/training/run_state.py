"""The saved state of a run, from which it resumes exactly.

`to_plain` and `from_plain` convert it to and from the file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mmdet.engine.checkpoints.said_of_model import is_threshold
from mmdet.engine.process.randomness import RandomState
from mmdet.engine.training.logs.train_log import LogState
from mmdet.engine.training.plan import Position
from mmdet.engine.training.run_about import RunAbout
from mmdet.errors import shown

TorchState = Mapping[str, Any]  # the result of a `state_dict()` of torch, which only torch reads


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunState:
    """The state of a run after a step. The file's keys are the names of the fields."""

    model: Mapping[str, Tensor]
    ema: Mapping[str, Tensor] | None  # moving average of the weights, which tests take; None: the run has none
    optimizer: TorchState
    scaler: TorchState  # scale of the loss, in float16
    random_states: tuple[RandomState, ...]  # by rank
    position: Position
    best: float | None  # best figure of the validations so far
    score_threshold: float | None  # of the best F1 over tracks, if this model was validated
    about: RunAbout
    log: LogState
    bad_frames: tuple[str, ...]  # lines that name the bad frames so far
    hooks: Mapping[str, Any]  # states of hooks, by their names
    slots_written: tuple[int, ...]  # slots of the memory that have been written since the start of the run

    def to_plain(self) -> dict[str, Any]:
        """Return tensors and plain values for a checkpoint."""
        return {
            "model": self.model,
            "ema": self.ema,
            "optimizer": self.optimizer,
            "scaler": self.scaler,
            "random_states": [state.to_plain() for state in self.random_states],
            "position": self.position.to_plain(),
            "best": self.best,
            "score_threshold": self.score_threshold,
            "about": self.about.to_plain(),
            "log": self.log.to_plain(),
            "bad_frames": list(self.bad_frames),
            "hooks": dict(self.hooks),
            "slots_written": list(self.slots_written),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> RunState:
        """Read the content of a checkpoint.

        Values that older checkpoints lack are empty. Raises LookupError or TypeError for other content.
        """
        best, bad_frames = plain.get("best"), plain.get("bad_frames")
        if not (best is None or is_figure(best)):
            raise TypeError(f"best figure {shown(best)}")
        threshold = plain.get("score_threshold")
        if not is_threshold(threshold):
            raise TypeError(f"score threshold {shown(threshold)}")
        average = plain.get("ema")
        if not (average is None or isinstance(average, Mapping)):
            raise TypeError(f"average {shown(average)}")
        hooks = plain.get("hooks", {})
        if not isinstance(hooks, Mapping) or not all(isinstance(state, Mapping) for state in hooks.values()):
            raise TypeError(f"states of hooks {shown(hooks)}")
        slots = plain.get("slots_written", [])
        if not isinstance(slots, list) or not all(type(slot) is int and slot >= 0 for slot in slots):
            raise TypeError(f"slots written {shown(slots)}")
        return cls(
            model=plain["model"],
            ema=average,
            optimizer=plain["optimizer"],
            scaler=plain["scaler"],
            random_states=tuple(RandomState.from_plain(state) for state in plain["random_states"]),
            position=Position.from_plain(plain["position"]),
            best=best,
            score_threshold=threshold,
            about=RunAbout.from_plain(plain.get("about", {})),
            log=LogState.from_plain(plain.get("log", {})),
            # another type is from a run that did not count them
            bad_frames=tuple(line for line in bad_frames if isinstance(line, str))
            if isinstance(bad_frames, list)
            else (),
            hooks=hooks,
            slots_written=tuple(slots),
        )


def is_figure(value: Any) -> bool:
    """Return whether a value can be the figure of a validation; -inf means none yet."""
    return isinstance(value, int | float) and not math.isnan(value)
