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
Found = dict[str, np.ndarray]


class OnnxStream:
    """A video in progress. `push` takes a frame (H, W, 3) uint8 RGB and returns track ids, detections and masks."""

    def __init__(self, model: str) -> None:
        self.session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        self.outputs = [output.name for output in self.session.get_outputs()]
        texts = self.session.get_modelmeta().custom_metadata_map
        self.about: dict[str, Any] = {name: json.loads(text) for name, text in texts.items()}
        self.ids, self.labels, self.last_seen = (np.zeros(0, np.int64) for _ in range(3))
        self.looks, self.boxes = np.zeros((0, 0), np.float32), np.zeros((0, 4), np.float32)
        self.next_id = self.frame = 0

    def push(self, frame: np.ndarray) -> tuple[list[int], Found, np.ndarray]:
        """Track the next frame; return ids (N,), what was found of each object, and masks (N, H, W) bool."""
        image, scale = self.resized(frame)
        arrays = self.session.run(self.outputs, {"images": image.transpose(2, 0, 1)[None]})
        found = {name: array[0] for name, array in zip(self.outputs, arrays, strict=True)}
        found = {k: v if k == "mask_basis" else v[found["filled"]] for k, v in found.items()}
        boxes = found["boxes"] / np.float32(scale)
        ids = self.assign(boxes, found["labels"], found["scores"], found["embeddings"])
        shown = sorted({one: row for row, one in enumerate(ids) if one != DROPPED}.values())  # of equal ids the last
        masks = self.draw(found["coefficients"][shown], found["mask_basis"], found["boxes"][shown], scale, frame.shape)
        found = {"boxes": boxes[shown], "labels": found["labels"][shown], "scores": found["scores"][shown]}
        return [ids[row] for row in shown], found, masks

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

    def assign(self, boxes: np.ndarray, labels: np.ndarray, scores: np.ndarray, embeddings: np.ndarray) -> list[int]:
        """Return an id for every detection, DROPPED for one that its track does not take (docs/MODEL.md, 7.8)."""
        looks = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True).clip(1e-12)
        best, choices = np.zeros((len(boxes), 1), np.float32), list[int]()
        holder: dict[int, int] = {}  # column: the detection that took it last
        if len(self.ids) and len(boxes):
            best = self.affinity(boxes, labels, scores, looks)
        for row, column in enumerate(best.argmax(axis=1).tolist()):
            held_by = best[holder[column]].max() if column in holder else NO_SCORE
            taken = column == NEW or best[row, column] > held_by
            choices.append(column if taken else DROPPED)
            holder |= {column: row} if taken and column != NEW else {}
        new, rows = [row for row, column in enumerate(choices) if column == NEW], list(holder.values())
        old_ids, new_ids = self.ids, dict(zip(new, range(self.next_id, self.next_id + len(new)), strict=True))
        columns = np.array(list(holder), np.int64) - 1
        self.looks = self.looks if self.looks.size else looks[:0]
        self.looks[columns], self.boxes[columns], self.last_seen[columns] = looks[rows], boxes[rows], self.frame
        seen = {"ids": list(new_ids.values()), "labels": labels[new], "looks": looks[new], "boxes": boxes[new]}
        for name, values in {**seen, "last_seen": [self.frame] * len(new)}.items():
            known = getattr(self, name)
            setattr(self, name, np.concatenate([known, np.asarray(values, known.dtype)]))
        kept = np.sort(np.argsort(self.last_seen, kind="stable")[-self.about["tracker"]["max_tracks"] :])
        for name in (*seen, "last_seen"):
            setattr(self, name, getattr(self, name)[kept])
        self.next_id, self.frame = self.next_id + len(new), self.frame + 1
        return [new_ids[r] if c == NEW else c if c == DROPPED else int(old_ids[c - 1]) for r, c in enumerate(choices)]

    def affinity(self, boxes: np.ndarray, labels: np.ndarray, scores: np.ndarray, looks: np.ndarray) -> np.ndarray:
        """Return how well each detection fits a new object (column 0) and every known track."""
        rule = self.about["tracker"]
        logits = np.pad(looks @ self.looks.T / np.float32(rule["temperature"]), ((0, 0), (1, 0)))
        top = logits.max(axis=1, keepdims=True)
        total = logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
        a, b = boxes[:, None], self.boxes[None]
        sides = (np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]) + 1).clip(0)
        areas = [np.prod(one[..., 2:] - one[..., :2] + 1, axis=-1) for one in (a, b)]
        both = np.prod(sides, axis=-1)
        total += rule["score_weight"] * np.log(scores)[:, None]
        total[:, 0] += rule["label_weight"]
        total[:, 1:] += rule["iou_weight"] * both / (areas[0] + areas[1] - both)
        total[:, 1:] += rule["label_weight"] * (labels[:, None] == self.labels)
        return total

    def draw(
        self, coefficients: np.ndarray, basis: np.ndarray, boxes: np.ndarray, scale: float, shape: tuple[int, ...]
    ) -> np.ndarray:
        """Return masks (N, H, W) bool: coefficients times basis, cut at the box, enlarged, thresholded."""
        rule, masks = self.about["masks"], np.zeros((len(boxes), *shape[:2]), bool)
        y, x = np.ogrid[: basis.shape[1], : basis.shape[2]]
        factor = rule["stride"] / scale
        for mask, own, (x1, y1, x2, y2) in zip(masks, coefficients, boxes / rule["stride"], strict=True):
            soft = 1 / (1 + np.exp(-np.tensordot(own, basis, axes=1)))
            soft[~((x >= x1) & (x < x2) & (y >= y1) & (y < y2))] = 0
            large = cv2.resize(soft, None, fx=factor, fy=factor)[: shape[0], : shape[1]]
            mask[: large.shape[0], : large.shape[1]] = large > rule["threshold"]
        return masks


def main(model: str, video: str, out: str) -> None:
    """Track a video and write it with its masks."""
    stream, reader, writer = OnnxStream(model), cv2.VideoCapture(video), None
    colors = np.random.default_rng(0).integers(64, 256, (997, 3))
    while (frame := reader.read()[1]) is not None:
        ids, found, masks = stream.push(frame[..., ::-1].copy())
        names = [stream.about["class_names"][label] for label in found["labels"]]
        rows = zip(ids, names, found["scores"], strict=True)
        print(stream.frame - 1, ", ".join(f"{one} {name} {score:.2f}" for one, name, score in rows))
        for track_id, mask in zip(ids, masks, strict=True):
            frame[mask] = (frame[mask] + colors[track_id % len(colors)]) // 2
        fps = reader.get(cv2.CAP_PROP_FPS) or 25
        writer = writer or cv2.VideoWriter(out, cv2.VideoWriter.fourcc(*"mp4v"), fps, frame.shape[1::-1])
        writer.write(frame)


if __name__ == "__main__":
    main(*sys.argv[1:])
