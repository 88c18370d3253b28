"""An exponential moving average of a model's weights over training steps, validated and tested in their place.

Source: Polyak and Juditsky, Acceleration of stochastic approximation by averaging (1992); the rise of the decay is that
of TensorFlow's ExponentialMovingAverage.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from mmdet.config.sections import EmaSection
from mmdet.engine.checkpoints.weights import Weights, check_finite, load_weights
from mmdet.models.detectors.vis_model import VISModel


class WeightAverage:
    """`model` is a copy of the trained model, in evaluation mode, that holds the average of what a checkpoint holds.

    Averaged are parameters, slots of a memory and statistics of batch norms: all over the same steps, so that they fit
    each other. Saved counters are copied. Nothing waits for the device.
    """

    def __init__(self, trained: VISModel, settings: EmaSection) -> None:
        self.settings = settings
        self.model = deepcopy(trained).requires_grad_(False).eval()
        pairs = list(zip(_saved(self.model), _saved(trained), strict=True))
        self._averaged = [pair for pair in pairs if pair[0].is_floating_point()]
        self._copied = [pair for pair in pairs if not pair[0].is_floating_point()]

    def restart(self) -> None:
        """Begin with the trained model's weights as they are now."""
        _copy([*self._averaged, *self._copied])

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Add the weights after step number `step`, 1 for the first."""
        averages, weights = ([pair[side] for pair in self._averaged] for side in (0, 1))
        get_ema_multi_avg_fn(self.decay(step))(averages, weights, step)
        _copy(self._copied)

    def decay(self, step: int) -> float:
        """Return the share that the average keeps in a step: it rises to the decay of the settings."""
        return min(self.settings.decay, (1 + step) / (self.settings.warmup + step))

    def take_up(self, state: Mapping[str, Tensor], source: Path) -> None:
        """Go on with a saved average. Raises UserError if it does not fit the model."""
        check_finite(state, source)
        load_weights(self.model, Weights(tensors=dict(state), source=f"the average in {source}"), None)


def _saved(model: nn.Module) -> list[Tensor]:
    """Return the tensors that a checkpoint holds, those of shared parameters once."""
    names = model.state_dict().keys()
    return [tensor.detach() for name, tensor in (*model.named_parameters(), *model.named_buffers()) if name in names]


@torch.no_grad()
def _copy(pairs: list[tuple[Tensor, Tensor]]) -> None:
    if pairs:
        torch._foreach_copy_([own for own, _ in pairs], [other for _, other in pairs])
