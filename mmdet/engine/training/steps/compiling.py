"""torch.compile for the repeated parts of a network: their many small operations become a few kernels.

Compiling part by part has two advantages: a part compiles once for all its copies, and operations that the compiler
makes slower (the gradient of bilinear resizing) stay outside.
"""

from __future__ import annotations

import torch
from timm.models.vision_transformer import Block
from torch import nn

from mmdet.models.heads.predictors import ConvGN

REPEATED = (Block, ConvGN)
MOST_SIZES = 64  # input sizes that a part is compiled for; a convolution of the head gets four levels per image size


def compile_parts(model: nn.Module) -> int:
    """Make the repeated parts of a model compile when they first run. Return their number."""
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, MOST_SIZES)
    parts = [module for module in model.modules() if isinstance(module, REPEATED)]
    for part in parts:
        part.compile(dynamic=False)
    return len(parts)
