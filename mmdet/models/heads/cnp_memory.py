"""The memory of the conditional neural process: slots of features and box encodings, read by similarity.

Source: MODEL.md 4; Yuan et al., A Memory-Based Conditional Neural Process for Video Instance Segmentation. `read` is
pure. `write` happens once per optimiser step, outside of autograd, and identically on every rank (MODEL.md 10: Q1, Q2,
Q7, Q8, Q11).
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmdet.config.ranges import Count, Fraction, Positive
from mmdet.ops.collectives import sum_over_ranks
from mmdet.registry import MEMORIES

TARGET_WIDTH = 4  # a point's distances to the sides of its box
UPDATE_MODES = ("top1", "topk", "all")


@MEMORIES.register_module()
class CNPMemory(nn.Module):
    """`num_slots` rows of [feature (C), target (4)] and the two-layer perceptron that decodes what is read.

    `rate` is the fraction of its old value that a slot keeps at a write. `update_mode` says which slots a point writes
    to: "top1" the most similar one, "topk" the `topk` most similar, weighted by their softmax, "all" every slot,
    weighted by the softmax. `read_temperature` divides the similarities of a read; at the release's value of 1 all
    slots count nearly the same (MODEL.md 10, Q26).
    """

    def __init__(
        self,
        channels: int,
        num_slots: Count = 128,
        rate: Fraction = 0.999,
        update_mode: Literal["top1", "topk", "all"] = "top1",
        topk: Count = 4,
        read_temperature: Positive = 1.0,
    ) -> None:
        super().__init__()
        if update_mode not in UPDATE_MODES:
            raise ValueError(f"update_mode {update_mode!r}: expected one of {', '.join(UPDATE_MODES)}")
        self.channels, self.rate, self.update_mode = channels, rate, update_mode
        self.topk = min(topk, num_slots)
        self.read_temperature = read_temperature
        self.slots = nn.Parameter(torch.randn(num_slots, channels + TARGET_WIDTH))
        self.fc1 = nn.Linear(channels + TARGET_WIDTH, channels)
        self.fc2 = nn.Linear(channels, channels)
        for layer in (self.fc1, self.fc2):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)

    @torch.no_grad()
    def similarity(self, features: Tensor) -> Tensor:
        """Return the cosine similarities (..., M) of queries (..., C) to the feature part of every slot."""
        return F.normalize(features, dim=-1) @ F.normalize(self.slots[:, : self.channels], dim=-1).T

    def read(self, query: Tensor) -> Tensor:
        """Return the context (B, P, C) float32 of a query (B, P, C).

        Gradients reach the slots and the perceptron, not the query.
        """
        with torch.autocast(query.device.type, enabled=False):
            recalled = self._read_weights(query) @ F.normalize(self.slots, dim=-1)
            return self.fc2(F.gelu(self.fc1(recalled)))

    def _read_weights(self, query: Tensor) -> Tensor:
        """Return how much each slot counts in a read (..., M) of queries (..., C)."""
        return (self.similarity(query.float()) / self.read_temperature).softmax(dim=-1)

    @torch.no_grad()
    def read_entropy(self, query: Tensor, counted: Tensor) -> Tensor:
        """Return the mean entropy of the weights in the reads of queries (N, C) that count, (N,) bool, of all ranks.

        As a ratio of the largest possible one: at 1 all slots count alike, at 0 a single one. -1 if no query counts.
        """
        with torch.autocast(query.device.type, enabled=False):
            entropy = torch.special.entr(self._read_weights(query)).sum(dim=-1) / math.log(max(len(self.slots), 2))
            total, count = torch.where(counted, entropy, 0.0).sum(), counted.sum().to(entropy.dtype)
            total, count = sum_over_ranks(torch.stack((total, count))).unbind()
            return torch.where(count > 0, total / count, -1.0)

    @torch.no_grad()
    def write(self, features: Tensor, targets: Tensor, foreground: Tensor | None = None) -> Tensor:
        """Move each slot towards the mean of what is written to it; other slots stay as they are.

        features (N, C), targets (N, 4) = 2 * (ltrb / S - 0.5), foreground (N,) bool selects rows (None: all).
        Sums and counts are added over ranks, so that replicas stay bit-identical. Returns how many rows, or shares of
        them, were written to each slot (M,).
        """
        with torch.autocast(features.device.type, enabled=False):
            rows = torch.cat([features.float(), targets.float()], dim=1)
            shares = self._shares(self.similarity(features.float()))
            if foreground is not None:
                shares = torch.where(foreground[:, None], shares, 0.0)
                rows = torch.where(foreground[:, None], rows, 0.0)
            sums = sum_over_ranks(shares.T @ rows)
            counts = sum_over_ranks(shares.sum(dim=0))[:, None]
            mean = sums / (counts + 1e-6)  # MODEL.md 4
            self.slots.copy_(torch.where(counts > 0, self.rate * self.slots + (1 - self.rate) * mean, self.slots))
            return counts[:, 0]

    def _shares(self, score: Tensor) -> Tensor:
        """Return how much of each row goes to each slot (N, M)."""
        if self.update_mode == "all":
            return score.softmax(dim=1)
        best = score.topk(1 if self.update_mode == "top1" else self.topk, dim=1)
        return torch.zeros_like(score).scatter(1, best.indices, best.values.softmax(dim=1))
