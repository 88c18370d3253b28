"""Plain ViT in the layout of masked autoencoders (MAE), with maps at strides 8, 16 and 32 from three of its blocks.

Source: MODEL.md 1; He et al., Masked Autoencoders Are Scalable Vision Learners. Parameter names are those of MAE's and
timm's checkpoints. Blocks are timm's, with fused attention.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from mmdet.config.ranges import Count, Natural, Positive
from mmdet.models.backbones.matching_weights import load_matching
from mmdet.registry import BACKBONES


def sincos_position_table(dim: int, grid: int) -> Tensor:
    """Return the fixed 2-d sine-cosine table (1 + grid * grid, dim). Row 0 belongs to the class token and is zero.

    The first half of the channels encodes x, the second y; each half is [sin(p w), cos(p w)] with
    w_i = 10000^(-i / (dim / 4)) (MODEL.md 1). Computed in float64, stored in float32.
    """
    quarter = dim // 4
    frequencies = 10000.0 ** (-np.arange(quarter, dtype=np.float64) / quarter)
    angles = np.arange(grid, dtype=np.float64)[:, None] * frequencies
    axis = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)  # (grid, dim / 2)
    x = np.broadcast_to(axis[None, :, :], (grid, grid, dim // 2))
    y = np.broadcast_to(axis[:, None, :], (grid, grid, dim // 2))
    table = np.concatenate([x, y], axis=2).reshape(grid * grid, dim)
    return torch.from_numpy(np.concatenate([np.zeros((1, dim)), table])).float()


def resize_positions(patch_rows: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize a square table (1, g * g, D) of patch positions to (1, h * w, D), bicubic, without aligned corners.

    Uses one matrix product per axis: torch's bicubic kernel takes 2.7 ms on an H200 for ViT-B's table.
    """
    grid = math.isqrt(int(patch_rows.shape[1]))
    if size == (grid, grid):
        return patch_rows
    with torch.autocast(patch_rows.device.type, enabled=False):
        vertical, horizontal = (_resize_weights(grid, length, patch_rows) for length in size)
        rows = vertical @ patch_rows.reshape(grid, -1)  # (h, g * D)
        return (horizontal @ rows.view(size[0], grid, -1)).flatten(0, 1).unsqueeze(0)


def _resize_weights(length: int, new_length: int, like: Tensor) -> Tensor:
    """Return the matrix (new_length, length) that resizes a line of values by bicubic interpolation."""
    lines = torch.eye(length, dtype=like.dtype, device=like.device).view(1, length, length, 1)
    resized = F.interpolate(lines, size=(new_length, 1), mode="bicubic", align_corners=False)
    return resized.view(length, new_length).T


def fit_positions(positions: Tensor, grid: int) -> tuple[Tensor, str]:
    """Convert positions (1, g * g [+ 1], D) to (1, 1 + grid * grid, D). Return them and what was done ("": nothing).

    The row of the class token is zero if the file has none. Raises ValueError unless the
    patches form a square.
    """
    rows = positions.shape[1]
    has_class_row = math.isqrt(rows) ** 2 != rows
    num_patches = rows - has_class_row
    side = math.isqrt(num_patches)
    if side * side != num_patches:
        raise ValueError(f"pos_embed has {rows} rows, expected those of a square of patches, with or without the class")
    notes = []
    class_row, patch_rows = positions[:, : int(has_class_row)], positions[:, int(has_class_row) :]
    if not has_class_row:
        class_row = torch.zeros_like(patch_rows[:, :1])
        notes.append("positions have no row of the class token: zero")
    if side != grid:
        patch_rows = resize_positions(patch_rows.float(), (grid, grid))
        notes.append(f"positions of {side} x {side} patches resized to {grid} x {grid}")
    return torch.cat([class_row, patch_rows.to(class_row.dtype)], dim=1), ", ".join(notes)


@BACKBONES.register_module()
class ViTMAE(nn.Module):
    """ViT-B/16 by default.

    `embed_dim`, `depth`, `num_heads`, `mlp_ratio`: width, number of blocks, attention heads, and width of the MLPs
    `patch_size`: side of a patch in pixels
    `norm_eps`: epsilon of the layer norms (MODEL.md 10, Q25)
    `out_blocks`: blocks (0-based) whose outputs give the maps of strides 8 (bilinear x 2), 16 and 32 (x 0.5)
    `reset_blocks`: after these the class token is reset to its value before the first block (MODEL.md 1); (): never
    `checkpointing`: run blocks again in the backward pass instead of keeping their activations, which saves memory
    `pretrained`: a checkpoint file, which the training program reads
    `frozen_stages`: n freezes the embedding and the first n blocks, -1 nothing
    """

    channels: tuple[int, int, int]
    strides = (8, 16, 32)

    def __init__(  # noqa: PLR0913  # the numbers of a ViT, and what is done with them
        self,
        embed_dim: Count = 768,
        depth: Count = 12,
        num_heads: Count = 12,
        patch_size: Count = 16,
        mlp_ratio: Positive = 4.0,
        norm_eps: Positive = 1e-5,
        out_blocks: Sequence[Natural] = (5, 8, 11),
        reset_blocks: Sequence[Natural] = (2, 5, 8, 11),
        checkpointing: bool = False,
        pretrained: str | None = None,
        frozen_stages: int = -1,
    ) -> None:
        super().__init__()
        if type(frozen_stages) is not int or not -1 <= frozen_stages <= depth:
            raise ValueError(f"frozen_stages is {frozen_stages!r}, expected -1 to {depth}")
        grid = 14  # MAE was trained on 224 x 224: 14 x 14 patches
        self.patch_size, self.out_blocks, self.reset_blocks = patch_size, tuple(out_blocks), frozenset(reset_blocks)
        self.checkpointing, self.pretrained = checkpointing, pretrained
        self.channels = (embed_dim, embed_dim, embed_dim)
        self.num_layers = depth + 2  # for layer decay: the embedding, the blocks, everything after them
        projection = nn.Conv2d(3, embed_dim, patch_size, stride=patch_size)
        self.patch_embed = nn.ModuleDict({"proj": projection})
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.pos_embed = nn.Parameter(sincos_position_table(embed_dim, grid)[None], requires_grad=False)
        norm: Any = partial(nn.LayerNorm, eps=norm_eps)
        self.blocks = nn.ModuleList(
            Block(embed_dim, num_heads, mlp_ratio=mlp_ratio, qkv_bias=True, norm_layer=norm) for _ in range(depth)
        )
        # Part of every checkpoint but not used in the network (Q9): loaded and frozen.
        self.norm = norm(embed_dim).requires_grad_(False)
        self._init_weights()
        nn.init.xavier_uniform_(projection.weight.view(embed_dim, -1))  # as a linear layer on the patch's pixels
        if frozen_stages >= 0:
            self.cls_token.requires_grad_(False)
            for part in (self.patch_embed, *self.blocks[:frozen_stages]):
                part.requires_grad_(False)

    def _init_weights(self) -> None:
        nn.init.normal_(self.cls_token, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, 3, H, W), H and W multiples of 32, to maps (N, D, H/8, W/8), (N, D, H/16, W/16), (N, D, H/32, W/32)."""
        patches = self.patch_embed["proj"](images)
        size = (patches.shape[-2], patches.shape[-1])
        tokens = patches.flatten(2).transpose(1, 2) + resize_positions(self.pos_embed[:, 1:], size)
        class_token = (self.cls_token + self.pos_embed[:, :1]).to(tokens.dtype).expand(images.shape[0], -1, -1)
        tokens = torch.cat([class_token, tokens], dim=1)
        maps = []
        for index, block in enumerate(self.blocks):
            tokens = self._run(block, tokens)
            if index in self.out_blocks:
                # also for a single image: the resizing kernel for other layouts is many times slower
                maps.append(tokens[:, 1:].unflatten(1, size).permute(0, 3, 1, 2))
            if index in self.reset_blocks:
                tokens = torch.cat([class_token, tokens[:, 1:]], dim=1)
        resize = partial(F.interpolate, mode="bilinear", align_corners=False)
        return resize(maps[0], scale_factor=2.0), maps[1], resize(maps[2], scale_factor=0.5)

    def _run(self, block: nn.Module, tokens: Tensor) -> Tensor:
        if self.checkpointing and torch.is_grad_enabled():
            # blocks draw no random numbers, and a CUDA graph cannot save generator states
            return checkpoint(block, tokens, use_reentrant=False, preserve_rng_state=False)
        return block(tokens)

    def layer_index(self, name: str) -> int:
        """Return the layer (0 .. num_layers - 1) that the parameter `name` of this backbone belongs to."""
        if name.startswith("blocks."):
            return int(name.split(".")[1]) + 1
        return self.num_layers - 1 if name.startswith("norm") else 0

    def load_pretrained(self, state: Mapping[str, Tensor]) -> str:
        """Load MAE or timm ViT weights and return one line that says what was loaded.

        Decoder and classifier keys are skipped and named; positions of another grid are resized. Raises ValueError for
        a missing key, a wrong shape, or tensors of blocks that this ViT does not have (layer scale, more blocks).
        """
        own = self.state_dict()
        foreign = [name for name in state if name.startswith("blocks.") and name not in own]
        if foreign:
            raise ValueError(f"{len(foreign)} tensors of blocks that this ViT does not have: {', '.join(foreign[:5])}")
        note, state = "", dict(state)
        if "pos_embed" in state and state["pos_embed"].dim() == 3:
            state["pos_embed"], note = fit_positions(state["pos_embed"], math.isqrt(self.pos_embed.shape[1] - 1))
        report = load_matching(self, state, optional=lambda name: name.startswith("norm."))
        return f"{report}, {note}" if note else report
