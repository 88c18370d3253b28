"""Any timm model that gives feature maps at the strides that are asked for, such as 8, 16 and 32.

Weights come from a local file, never from a hub.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import timm
from timm.layers import BatchNormAct2d, FrozenBatchNormAct2d
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmdet.config.ranges import Count
from mmdet.errors import UserError, shown, suggestion
from mmdet.models.backbones.matching_weights import load_matching
from mmdet.models.freezing import rest_frozen_parts
from mmdet.registry import BACKBONES


@BACKBONES.register_module()
class TimmBackbone(nn.Module):
    """timm's `features_only` form of the model `name`.

    `frozen_bn` keeps the running statistics and affine parameters of batch norms as loaded: batches are small, key and
    reference must not mix, and ranks must agree. `frozen_stages` freezes all layers up to timm's first feature map (0),
    second (1) and so on; in a ResNet 0 is the stem and 1 the first stage. -1 freezes nothing. `options` go to
    `timm.create_model`. `pretrained` names a file of timm weights, which the training program reads. `out_strides` are
    those of the maps to return, finest first; each is half the next (two-stage models start at 4). Raises UserError for
    an unknown or unsuitable name, and for other strides.
    """

    body: Any  # timm's features_only wrapper, a module with `feature_info`

    def __init__(
        self,
        name: str,
        pretrained: str | None = None,
        frozen_bn: bool = True,
        options: Mapping[str, Any] | None = None,
        frozen_stages: int = -1,
        out_strides: Sequence[Count] = (8, 16, 32),
    ) -> None:
        super().__init__()
        if not out_strides or any(2 * finer != coarser for finer, coarser in pairwise(out_strides)):
            raise UserError(
                f"TimmBackbone: out_strides is {shown(out_strides)}, expected strides of which each is half the next"
            )
        self.strides = tuple(out_strides)
        if not timm.is_model(name):
            raise UserError(f"TimmBackbone: timm has no model {name!r}; {suggestion(name, timm.list_models())}")
        self.name, self.pretrained, self.frozen_bn = name, pretrained, frozen_bn
        self.body = self._create(dict(options or {}))
        self.channels = tuple(self.body.feature_info.channels())
        if frozen_bn:
            for norm in self._batch_norms():
                norm.requires_grad_(False)
        if frozen_stages != -1:
            self._freeze_stages(frozen_stages)
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
        # Of several stages with the same stride take the last: it sees more.
        stages = [len(reductions) - 1 - reductions[::-1].index(stride) for stride in self.strides]
        return timm.create_model(self.name, features_only=True, out_indices=stages, **options)

    def _freeze_stages(self, last: int) -> None:
        stages = self.body.feature_info.info  # of all maps, including those that are not used
        if type(last) is not int or not 0 <= last < len(stages):
            raise UserError(f"TimmBackbone: frozen_stages is {shown(last)}, expected -1 to {len(stages) - 1}")
        modules = dict(self.body.named_modules())  # in the order of computation
        stage: str = stages[last]["module"]
        stage = stage if stage in modules else stage.replace(".", "_")
        if stage not in modules:
            raise UserError(
                f"TimmBackbone: where stage {last} of {self.name!r} ends is not known; name parts in model.frozen"
            )
        names = list(modules)
        inside = [index for index, name in enumerate(names) if name == stage or name.startswith(f"{stage}.")]
        for name in names[: inside[-1] + 1]:
            for parameter in modules[name].parameters(recurse=False):
                parameter.requires_grad_(False)

    def _batch_norms(self) -> list[nn.Module]:
        kinds = (_BatchNorm, BatchNormAct2d, FrozenBatchNormAct2d)
        return [module for module in self.body.modules() if isinstance(module, kinds)]

    def train(self, mode: bool = True) -> TimmBackbone:
        """Set the mode; frozen batch norms and stages stay in evaluation mode."""
        super().train(mode)
        rest_frozen_parts(self)
        if self.frozen_bn:
            for norm in self._batch_norms():
                norm.eval()
        return self

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, H, W) to maps at `strides` with `channels` channels."""
        return tuple(self.body(images))

    def load_pretrained(self, state: Mapping[str, Tensor]) -> str:
        """Load weights of the whole timm model and return one line that says what was loaded.

        Keys of the classifier are skipped and named. Raises ValueError for a missing key or another shape.
        """
        # timm's wrapper renames the part `stages.0` of a model to `stages_0`.
        own = self.body.state_dict()
        wrapped = {name: name if name in own else name.replace(".", "_", 1) for name in state}
        state = {wrapped[name] if wrapped[name] in own else name: value for name, value in state.items()}
        # Older files lack the counters of seen batches, which a frozen norm does not use.
        return load_matching(self.body, state, optional=lambda name: name.endswith("num_batches_tracked"))
