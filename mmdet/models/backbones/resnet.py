"""ResNet-50 with maps at strides 4 to 32, in the two forms that published detectors start from.

Source: He et al., Deep Residual Learning (2016); BASELINES.md 1.1. The network is torchvision's, which is the
"pytorch" form; parameters have torchvision's names. In the "caffe" form the stride of a stage stands in its first 1x1
convolution, with the same names and shapes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from torch import Tensor, nn
from torchvision.models import resnet50
from torchvision.models.resnet import Bottleneck

from mmdet.errors import UserError, shown
from mmdet.models.backbones.matching_weights import load_matching
from mmdet.models.freezing import rest_frozen_parts
from mmdet.registry import BACKBONES

LEVELS = {"C2": (4, 256), "C3": (8, 512), "C4": (16, 1024), "C5": (32, 2048)}  # stride and channels
NUM_STAGES = 4
SMALL_RESPONSE = 0.05  # of a stem's channel to its input; between the two styles, which are a factor of 58 apart


@BACKBONES.register_module()
class ResNet50(nn.Module):
    """ResNet-50 whose batch norms always use their running statistics, in training too.

    `style`: "pytorch" or "caffe": which convolution of a stage has its stride. Weights fit one of them only
    `out_levels`: the maps to return, of C2 to C5, finest first
    `train_norms`: learn the weights and biases of batch norms outside of frozen stages (BASELINES.md 6, B1)
    `pretrained`: a file of ResNet-50 weights, of torchvision, timm or caffe style, which the training program reads
    `frozen_stages`: n freezes the stem and the first n stages; 0 the stem; -1 nothing
    """

    def __init__(
        self,
        style: Literal["pytorch", "caffe"] = "pytorch",
        out_levels: Sequence[str] = ("C3", "C4", "C5"),
        train_norms: bool = False,
        pretrained: str | None = None,
        frozen_stages: int = 1,
    ) -> None:
        super().__init__()
        if style not in ("pytorch", "caffe"):
            raise UserError(f"ResNet50: style is {shown(style)}, expected 'pytorch' or 'caffe'")
        if not out_levels or list(out_levels) != [name for name in LEVELS if name in out_levels]:
            raise UserError(
                f"ResNet50: out_levels is {shown(out_levels)}, expected some of {', '.join(LEVELS)} in order"
            )
        if type(frozen_stages) is not int or not -1 <= frozen_stages <= NUM_STAGES:
            raise UserError(f"ResNet50: frozen_stages is {shown(frozen_stages)}, expected -1 to {NUM_STAGES}")
        self.style, self.out_levels, self.pretrained = style, tuple(out_levels), pretrained
        self.strides = tuple(LEVELS[name][0] for name in out_levels)
        self.channels = tuple(LEVELS[name][1] for name in out_levels)
        whole = resnet50(weights=None)
        self.conv1, self.bn1, self.relu, self.maxpool = whole.conv1, whole.bn1, whole.relu, whole.maxpool
        self.layer1, self.layer2, self.layer3, self.layer4 = whole.layer1, whole.layer2, whole.layer3, whole.layer4
        if style == "caffe":
            for stage in self.stages[1:]:
                _move_stride(stage[0])
        if not train_norms:
            for norm in self._norms():
                norm.requires_grad_(False)
        if frozen_stages >= 0:
            for part in (self.conv1, self.bn1, *self.stages[:frozen_stages]):
                part.requires_grad_(False)
        self.train()

    @property
    def stages(self) -> tuple[nn.Sequential, ...]:
        """The four stages of bottlenecks."""
        return self.layer1, self.layer2, self.layer3, self.layer4

    def _norms(self) -> list[nn.BatchNorm2d]:
        return [module for module in self.modules() if isinstance(module, nn.BatchNorm2d)]

    def train(self, mode: bool = True) -> ResNet50:
        """Set the mode; batch norms and frozen stages stay in evaluation mode."""
        super().train(mode)
        rest_frozen_parts(self)
        for norm in self._norms():
            norm.eval()
        return self

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, H, W) to the maps of `out_levels`."""
        features = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        maps = {}
        for name, stage in zip(LEVELS, self.stages, strict=True):
            features = maps[name] = stage(features)
        return tuple(maps[name] for name in self.out_levels)

    def load_pretrained(self, state: Mapping[str, Tensor]) -> str:
        """Load the weights of a whole ResNet-50 and return one line that says what was loaded.

        Keys of the classifier are skipped and named, and so is a style that the numbers do not look like. Raises
        ValueError for a missing key or another shape.
        """
        # Older files lack the counters of seen batches, which a norm at rest does not use.
        line = load_matching(self, state, optional=lambda name: name.endswith("num_batches_tracked"))
        likely = _likely_style(self.conv1, self.bn1)
        if likely == self.style:
            return line
        return f"{line}; they look like weights of style={likely!r}, but the config says style={self.style!r}"


def _likely_style(stem: nn.Conv2d, norm: nn.BatchNorm2d) -> str:
    """Return the style that a stem's numbers are of: those of caffe style take values of 0 to 255 as they are.

    Their response to a unit of input is about 58 times smaller than where inputs were divided by a standard deviation.
    """
    assert norm.running_var is not None
    response = stem.weight.flatten(1).norm(dim=1) * norm.weight.abs() / (norm.running_var + norm.eps).sqrt()
    return "caffe" if response.quantile(0.75) < SMALL_RESPONSE else "pytorch"  # some channels may be dead


def _move_stride(block: nn.Module) -> None:
    """Move the stride of a bottleneck from its 3x3 convolution to its first 1x1 convolution."""
    assert isinstance(block, Bottleneck)
    block.conv1.stride, block.conv2.stride = block.conv2.stride, block.conv1.stride
