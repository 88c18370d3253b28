"""Track a video with ONNX Runtime, OpenCV and numpy alone: python onnx_stream.py MODEL.onnx VIDEO OUT.mp4.

MODEL.onnx: tools/export.py --format onnx without --masks, of a model whose tracker is `Tracker` with greedy matching
"""

from __future__ import annotations

import json
import sys
from typing import Any

import cv2
import numpy as np
import onnxruntime

DROPPED, NEW, NO_SCORE = -1, 0, -100.0
SHOWN_SCORE = 0.3  # of objects in pictures, where the model names no threshold
PER_FRAME = {"mask_basis", "mask_features"}  # all other outputs have a row per slot
Found = dict[str, np.ndarray]


class OnnxStream:
    """A video in progress. `push` takes a frame (H, W, 3) uint8 RGB and returns track ids, detections and masks."""

    tracker = "Tracker"
    state: tuple[str, ...] = ("ids", "labels", "last_seen", "looks", "boxes")  # a row per known track

    def __init__(self, model: str) -> None:
        self.session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        self.outputs = [output.name for output in self.session.get_outputs()]
        texts = self.session.get_modelmeta().custom_metadata_map
        self.about: dict[str, Any] = {name: json.loads(text) for name, text in texts.items()}
        rule = self.about["tracker"]
        if rule["type"] != self.tracker or rule.get("matching", "greedy") != "greedy":
            raise SystemExit(f"this program follows objects as {self.tracker} does, by greedy matching, not by {rule}")
        self.ids, self.labels, self.last_seen = (np.zeros(0, np.int64) for _ in range(3))
        self.looks, self.boxes = np.zeros((0, 0), np.float32), np.zeros((0, 4), np.float32)
        self.next_id = self.frame = 0

    def push(self, frame: np.ndarray) -> tuple[list[int], Found, np.ndarray]:
        """Track the next frame; return ids (N,), what was found of each object, and masks (N, H, W) bool."""
        image, scale = self.resized(frame)
        arrays = self.session.run(self.outputs, {"images": image.transpose(2, 0, 1)[None]})
        found = {name: array[0] for name, array in zip(self.outputs, arrays, strict=True)}
        found = {name: array if name in PER_FRAME else array[found["filled"]] for name, array in found.items()}
        boxes = found["boxes"] / np.float32(scale)
        ids = self.assign(boxes, found)
        self.frame += 1
        shown = sorted({one: row for row, one in enumerate(ids) if one != DROPPED}.values())  # of equal ids the last
        rows = {"boxes": boxes[shown], "labels": found["labels"][shown], "scores": found["scores"][shown]}
        return [ids[row] for row in shown], rows, self.draw(found, shown, scale, frame.shape)

    def resized(self, frame: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the frame as the network sees it, and the factor from its pixels to the network's."""
        scale = 1.0
        for step in self.about["transforms"]:
            (height, width), edges = frame.shape[:2], (step["long_edge"], step["short_edge"])
            scale = min(edges[0] / max(height, width), edges[1] / min(height, width))
            frame = cv2.resize(frame, [max(int(side * scale + 0.5), 1) for side in (width, height)])
        if list(frame.shape[:2]) != self.about["size"]:
            raise SystemExit(f"export the model for this video with --size {frame.shape[0]} {frame.shape[1]}")
        return frame, scale

    def assign(self, boxes: np.ndarray, found: Found) -> list[int]:
        """Return an id for every detection, DROPPED for one that its track does not take (docs/MODEL.md, 7.8)."""
        by_cosine = self.about["tracker"]["affinity"] == "cosine"
        looks = unit(found["embeddings"]) if by_cosine else found["embeddings"]
        best, choices = np.zeros((len(boxes), 1), np.float32), list[int]()
        holder: dict[int, int] = {}  # column: the detection that took it last
        if len(self.ids) and len(boxes):
            best = self.affinity(boxes, found["labels"], found["scores"], looks)
        for row, column in enumerate(best.argmax(axis=1).tolist()):
            held_by = best[holder[column]].max() if column in holder else NO_SCORE
            taken = column == NEW or best[row, column] > held_by
            choices.append(column if taken else DROPPED)
            holder |= {column: row} if taken and column != NEW else {}
        columns, rows = np.array(list(holder), np.int64) - 1, list(holder.values())
        new = [row for row, column in enumerate(choices) if column == NEW]
        old_ids, new_ids = self.ids, dict(zip(new, range(self.next_id, self.next_id + len(new)), strict=True))
        self.looks = self.looks if self.looks.size else looks[:0]
        self.looks[columns], self.boxes[columns], self.last_seen[columns] = looks[rows], boxes[rows], self.frame
        self.start_tracks(labels=found["labels"][new], looks=looks[new], boxes=boxes[new])
        return [new_ids[r] if c == NEW else c if c == DROPPED else int(old_ids[c - 1]) for r, c in enumerate(choices)]

    def start_tracks(self, **rows: np.ndarray) -> None:
        """Add new tracks with new ids; forget those seen longest ago if there are too many."""
        count = len(rows["boxes"])
        rows["ids"], rows["last_seen"] = np.arange(count) + self.next_id, np.full(count, self.frame)
        self.next_id += count
        last_seen = np.concatenate([self.last_seen, rows["last_seen"]])
        kept = np.sort(np.argsort(last_seen, kind="stable")[-self.about["tracker"]["max_tracks"] :])
        for name in self.state:
            setattr(self, name, np.concatenate([getattr(self, name), rows[name]])[kept])

    def affinity(self, boxes: np.ndarray, labels: np.ndarray, scores: np.ndarray, looks: np.ndarray) -> np.ndarray:
        """Return how well each detection fits a new object (column 0) and every known track."""
        rule = self.about["tracker"]
        logits = np.pad(looks @ self.looks.T / np.float32(rule["temperature"]), ((0, 0), (1, 0)))
        top = logits.max(axis=1, keepdims=True)
        total = logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
        total += rule["score_weight"] * np.log(scores)[:, None]
        total[:, 0] += rule["label_weight"]
        total[:, 1:] += rule["iou_weight"] * overlaps(boxes, self.boxes)
        total[:, 1:] += rule["label_weight"] * (labels[:, None] == self.labels)
        return total

    def draw(self, found: Found, rows: list[int], scale: float, shape: tuple[int, ...]) -> np.ndarray:
        """Return masks (N, H, W) bool of the given rows: enlarged to the frame, then compared with a threshold."""
        rule, masks = self.about["masks"], np.zeros((len(rows), *shape[:2]), bool)
        factor = rule["stride"] / scale
        for mask, row in zip(masks, rows, strict=True):
            large = cv2.resize(self.soft_mask(found, row), None, fx=factor, fy=factor)[: shape[0], : shape[1]]
            mask[: large.shape[0], : large.shape[1]] = large > rule["threshold"]
        return masks

    def soft_mask(self, found: Found, row: int) -> np.ndarray:
        """Return the mask (h, w) of an object: coefficients times basis, zero outside of the box."""
        basis = found["mask_basis"]
        soft = 1 / (1 + np.exp(-np.tensordot(found["coefficients"][row], basis, axes=1)))
        y, x = np.ogrid[: basis.shape[1], : basis.shape[2]]
        x1, y1, x2, y2 = found["boxes"][row] / self.about["masks"]["stride"]
        soft[~((x >= x1) & (x < x2) & (y >= y1) & (y < y2))] = 0
        return np.asarray(soft)


def unit(rows: np.ndarray) -> np.ndarray:
    """Scale rows to length 1."""
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-12))


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the IoU (N, M) of boxes, whose last pixels count (docs/MODEL.md, 10)."""
    a, b = a[:, None], b[None]
    both = np.prod((np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]) + 1).clip(0), axis=-1)
    areas = [np.prod(one[..., 2:] - one[..., :2] + 1, axis=-1) for one in (a, b)]
    return np.asarray(both / (areas[0] + areas[1] - both))


def main(stream: OnnxStream, video: str, out: str) -> None:
    """Track a video and write it with the masks of objects that are sure enough."""
    reader, writer = cv2.VideoCapture(video), None
    colors = np.random.default_rng(0).integers(64, 256, (997, 3))
    while (frame := reader.read()[1]) is not None:
        ids, found, masks = stream.push(frame[..., ::-1].copy())
        said, least = [], stream.about["score_threshold"] or SHOWN_SCORE
        for row in np.flatnonzero(found["scores"] >= least)[::-1]:  # the best one last: it lies above
            frame[masks[row]] = (frame[masks[row]] + colors[ids[row] % len(colors)]) // 2
            said.append(f"{ids[row]} {stream.about['class_names'][found['labels'][row]]} {found['scores'][row]:.2f}")
        print(stream.frame - 1, ", ".join(said[::-1]))
        fps = reader.get(cv2.CAP_PROP_FPS) or 25
        writer = writer or cv2.VideoWriter(out, cv2.VideoWriter.fourcc(*"mp4v"), fps, frame.shape[1::-1])
        writer.write(frame)


if __name__ == "__main__":
    main(OnnxStream(sys.argv[1]), *sys.argv[2:])
