"""What part of a frame reaches a point of each level: the input pixels whose change can change it.

Found by the gradient of the level's middle with respect to the frame, through backbone and neck. It says where a path
leads only if no path is closed by chance: weights become positive first, so that none is zero and contributions do not
cancel, and activation functions, which are flat in parts, are replaced by others that are nowhere flat.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from mmdet.structures import Size

_RECTIFIERS = ("relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "mish", "hardswish", "clamp")
_GATES = ("sigmoid", "hardsigmoid", "hardtanh", "tanh")


def receptive_sizes(model: Any, size: Size, seed: int = 0) -> list[Size]:
    """Return (height, width) in pixels for each level of `model.neck`; at most `size`, the whole frame.

    Computes some passes of backbone and neck, and changes the model's weights.
    """
    generator = torch.Generator().manual_seed(seed)
    _open_all_paths(model, generator)
    frame = torch.rand(1, 3, *size, generator=generator).requires_grad_()
    model = model.eval().requires_grad_(False)
    with _NowhereFlat():
        levels: list[Tensor] = model.neck(model.backbone(frame))
    found = []
    for index, level in enumerate(levels):
        middle = level[0, :, level.shape[2] // 2, level.shape[3] // 2]
        weights = torch.rand(middle.shape, generator=generator) + 0.5  # unequal, as a norm may fix the plain sum
        (gradient,) = torch.autograd.grad(middle @ weights, frame, retain_graph=index + 1 < len(levels))
        touched = gradient[0].ne(0).any(dim=0)
        found.append((_extent(touched.any(dim=1)), _extent(touched.any(dim=0))))
    return found


class _NowhereFlat(TorchFunctionMode):
    """Replaces activation functions: rectifiers by the identity, gates by a wave, which stays bounded as they do."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function, or what stands for it."""
        name = getattr(func, "__name__", "").rstrip("_")
        if name in _RECTIFIERS:
            return args[0]
        if name in _GATES:
            return 0.75 + 0.25 * torch.sin(args[0])
        return func(*args, **(kwargs or {}))


@torch.no_grad()
def _open_all_paths(model: nn.Module, generator: torch.Generator) -> None:
    """Make weights positive, with the size of means over their inputs, and factors of norms and layers one."""
    for name, value in model.named_parameters():
        if value.ndim > 1:
            value.copy_((torch.rand(value.shape, generator=generator) + 0.5) / value[0].numel())
        elif not name.endswith("bias"):
            value.fill_(1.0)


def _extent(touched: Tensor) -> int:
    """Return the distance from the first to the last true value, both included."""
    places = touched.nonzero()
    return int(places.max() - places.min()) + 1 if len(places) else 0
