"""Tracks of a made-up frame: a row of squares, each with an id, a class and scores."""

import torch

from mmdet.engine.inference.tracks import Tracks
from mmdet.structures import FrameTracks

SIZE = (20, 40)
NAMES = ("disk", "ring", "star")
CATEGORY_IDS = (10, 20, 30)


def make_tracks(ids=(0, 2, 5), labels=(1, 2, 1), scores=(0.875, 0.5, 0.25), frame_index=17, time_s=None):
    """Squares of eight pixels, ten apart. In the frame alone each scores half of its track and is of class 0."""
    count = len(ids)
    masks = torch.zeros(count, *SIZE, dtype=torch.bool)
    boxes = torch.zeros(count, 4)
    for row in range(count):
        masks[row, 4:12, 10 * row : 10 * row + 8] = True
        boxes[row] = torch.tensor([10.0 * row, 4.0, 10.0 * row + 8, 12.0])
    means = torch.tensor(scores, dtype=torch.float32)
    objects = FrameTracks(
        boxes=boxes,
        labels=torch.zeros(count, dtype=torch.int64),
        scores=means / 2,
        box_sigma=torch.full((count, 4), 0.1),
        centerness=torch.ones(count),
        embeddings=torch.zeros(count, 8),
        masks=masks,
        track_ids=torch.tensor(ids, dtype=torch.int64),
    )
    return Tracks(
        objects=objects,
        track_labels=torch.tensor(labels, dtype=torch.int64),
        track_scores=means,
        class_names=NAMES,
        category_ids=CATEGORY_IDS,
        frame_index=frame_index,
        time_s=time_s,
    )
