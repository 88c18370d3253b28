"""Any timm model that gives feature maps at strides 8, 16 and 32.

Weights come from a local file, never from a hub. Does not know what reads its maps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import timm
from timm.layers import BatchNormAct2d, FrozenBatchNormAct2d
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmdet.errors import UserError, near
from mmdet.models.backbones.pretrained import load_matching
from mmdet.registry import BACKBONES


@BACKBONES.register_module()
class TimmBackbone(nn.Module):
    """timm's `features_only` form of the model `name`.

    `frozen_bn` keeps running statistics and affine parameters of batch norms as loaded: pairs are few, key and
    reference must not mix, and ranks must agree. `options` go to `timm.create_model`. `pretrained` names a file of
    timm weights; it is read by the training program, not here. Raises UserError for an unknown or unsuitable name.
    """

    strides = (8, 16, 32)
    body: Any  # timm's features_only wrapper, a module with `feature_info`

    def __init__(
        self,
        name: str,
        pretrained: str | None = None,
        frozen_bn: bool = True,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if not timm.is_model(name):
            raise UserError(f"TimmBackbone: timm has no model {name!r}; {near(name, timm.list_models())[:200]}")
        self.name, self.pretrained, self.frozen_bn = name, pretrained, frozen_bn
        self.body = self._create(dict(options or {}))
        self.channels = tuple(self.body.feature_info.channels())
        if frozen_bn:
            for norm in self._batch_norms():
                norm.requires_grad_(False)
        self.train()

    def _create(self, options: dict[str, Any]) -> Any:
        try:
            whole: Any = timm.create_model(self.name, features_only=True, **options)
            reductions = whole.feature_info.reduction()
        except (RuntimeError, TypeError, AttributeError, ValueError) as error:
            raise UserError(f"TimmBackbone: {self.name!r} cannot give feature maps: {error}") from error
        missing = [stride for stride in self.strides if stride not in reductions]
        if missing:
            raise UserError(f"TimmBackbone: {self.name!r} has maps at strides {reductions}, not at {missing}")
        # The last stage of a stride: later stages of the same stride see more.
        stages = [len(reductions) - 1 - reductions[::-1].index(stride) for stride in self.strides]
        return timm.create_model(self.name, features_only=True, out_indices=stages, **options)

    def _batch_norms(self) -> list[nn.Module]:
        kinds = (_BatchNorm, BatchNormAct2d, FrozenBatchNormAct2d)
        return [module for module in self.body.modules() if isinstance(module, kinds)]

    def train(self, mode: bool = True) -> TimmBackbone:
        """Set the mode; frozen batch norms stay in evaluation mode."""
        super().train(mode)
        if self.frozen_bn:
            for norm in self._batch_norms():
                norm.eval()
        return self

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, H, W) to maps at strides 8, 16 and 32 with `channels` channels."""
        return tuple(self.body(images))

    def load_pretrained(self, state: Mapping[str, Tensor]) -> str:
        """Load weights of the whole timm model and return one line that says what was loaded.

        Keys of the classifier are skipped and named. Raises ValueError for a missing key or another shape.
        """
        # Counters of batches seen, which older files lack, mean nothing to a frozen norm.
        return load_matching(self.body, state, optional=lambda name: name.endswith("num_batches_tracked"))
