"""Do what onnx_stream.py does, for a `PlusModel` with an `AppearanceTracker`.

python onnx_stream_plus.py MODEL.onnx VIDEO OUT.mp4; it stands beside onnx_stream.py and needs the same packages.
"""

from __future__ import annotations

import sys

import numpy as np
from onnx_stream import DROPPED, Found, OnnxStream, main, overlaps, unit

WIDTH = 8  # channels between the layers of a mask's network (mmdet/ops/masks/dynamic.py)
BOX_FRAMES, LEAST_OVERLAP = 2, 0.5  # mmdet/tracking/appearance_tracker.py


class PlusStream(OnnxStream):
    """A video in progress; `push` is that of OnnxStream."""

    tracker = "AppearanceTracker"
    state = ("ids", "last_seen", "looks", "boxes", "motion", "class_sums")

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.motion, self.class_sums = self.boxes.copy(), np.zeros((0, len(self.about["class_names"])), np.float32)

    def assign(self, boxes: np.ndarray, found: Found) -> list[int]:
        """Return an id for every detection, DROPPED for one that neither continues nor starts a track."""
        looks, classes, rule = unit(found["embeddings"]), found["class_scores"], self.about["tracker"]
        self.looks = self.looks if self.looks.size else looks[:0]
        ids, gain = np.full(len(boxes), DROPPED), self.gain(looks, boxes, classes)
        rows, tracks = best_pairs(gain.clip(0))
        good = gain[rows, tracks] >= 0
        rows, tracks = rows[good], tracks[good]
        ids[rows] = self.ids[tracks]
        just_now = self.last_seen[tracks] == self.frame - 1
        self.motion[tracks] = np.where(just_now[:, None], boxes[rows] - self.boxes[tracks], 0)
        self.looks[tracks] = rule["keep_look"] * self.looks[tracks] + (1 - rule["keep_look"]) * looks[rows]
        self.class_sums[tracks] += classes[rows]
        self.boxes[tracks], self.last_seen[tracks] = boxes[rows], self.frame
        new = np.flatnonzero((ids == DROPPED) & (found["scores"] >= rule["birth_score"]))
        ids[new] = np.arange(len(new)) + self.next_id
        self.start_tracks(looks=looks[new], boxes=boxes[new], motion=np.zeros_like(boxes[new]), class_sums=classes[new])
        return [int(one) for one in ids]

    def gain(self, looks: np.ndarray, boxes: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Return (N, M): how much better each detection fits each track than a match needs, below 0 if it does not."""
        rule = self.about["tracker"]
        cosines, ago = looks @ unit(self.looks).T, self.frame - self.last_seen
        overlap = overlaps(boxes, self.boxes + self.motion * ago[:, None]) * (ago <= BOX_FRAMES)
        fit = rule["look_weight"] * cosines + rule["class_weight"] * shares(classes) @ shares(self.class_sums).T
        needed = rule["least"] * (rule["look_weight"] + rule["class_weight"])
        may_match = (cosines >= rule["least_look"]) | (overlap >= LEAST_OVERLAP)
        return np.where(may_match, fit + rule["box_weight"] * overlap - needed, -1.0)

    def soft_mask(self, found: Found, row: int) -> np.ndarray:
        """Return the logits (h, w) of an object's mask, drawn by its own network of three layers."""
        features, stride = found["mask_features"], self.about["masks"]["stride"]
        channels, height, width = features.shape
        x, y, reach = found["mask_places"][row]
        sizes = (channels * WIDTH, WIDTH, WIDTH, WIDTH, WIDTH * WIDTH, WIDTH, WIDTH)
        first, along_x, along_y, bias1, second, bias2, third, bias3 = np.split(
            found["mask_weights"][row][:, None, None], np.cumsum(sizes)
        )
        across = ((np.arange(width, dtype=np.float32) + 0.5) * stride - x) / reach
        down = ((np.arange(height, dtype=np.float32) + 0.5) * stride - y) / reach
        hidden = np.tensordot(first.reshape(WIDTH, channels), features, axes=1)
        hidden = (hidden + along_x * across + along_y * down[:, None] + bias1).clip(0)
        hidden = (np.tensordot(second.reshape(WIDTH, WIDTH), hidden, axes=1) + bias2).clip(0)
        return np.asarray(np.tensordot(third.ravel(), hidden, axes=1) + bias3[0])


def shares(scores: np.ndarray) -> np.ndarray:
    """Scale rows to a sum of 1."""
    return np.asarray(scores / scores.sum(axis=1, keepdims=True).clip(1e-9))


def best_pairs(gain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of the one-to-one pairs with the largest sum of gains (N, M) >= 0.

    Row after row takes the cheapest path of changed pairs (Jonker and Volgenant, 1987), as scipy does. Each row has a
    column of its own with no gain, which stands for no pair.
    """
    count, known = gain.shape
    cost = -np.pad(gain, ((0, 0), (0, count)))
    row_price, column_price = np.zeros(count), np.zeros(known + count)
    owner = np.full(known + count, -1)
    for row in range(count):
        least, before = np.full(known + count, np.inf), np.full(known + count, -1)
        done, current, column, lowest = np.zeros(known + count, bool), row, -1, 0.0
        while current >= 0:
            path = lowest + cost[current] - row_price[current] - column_price
            better = ~done & (path < least)
            least[better], before[better] = path[better], column
            column = int(np.where(done, np.inf, least).argmin())
            lowest, done[column], current = float(least[column]), True, int(owner[column])
        changed = np.flatnonzero(done & (owner >= 0))
        row_price[row] += lowest
        row_price[owner[changed]] += lowest - least[changed]
        column_price[changed] -= lowest - least[changed]
        while column >= 0:
            owner[column] = owner[before[column]] if before[column] >= 0 else row
            column = int(before[column])
    columns = np.flatnonzero(owner[:known] >= 0)
    return owner[columns], columns


if __name__ == "__main__":
    main(PlusStream(sys.argv[1]), *sys.argv[2:])
