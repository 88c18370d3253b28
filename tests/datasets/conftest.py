"""A tiny data set on disk: square objects that move one pixel a frame over noise."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask


def _square(size, x, y, side):
    mask = np.zeros(size, np.uint8)
    mask[y : y + side, x : x + side] = 1
    return mask


def _compressed(mask):
    rle = coco_mask.encode(np.asfortranarray(mask))
    return {"size": list(mask.shape), "counts": rle["counts"].decode()}


def _uncompressed(mask):
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    return {"size": list(mask.shape), "counts": np.diff([0, *edges, len(flat)]).tolist()}


def _polygons(mask):
    x, y, width, height = cv2.boundingRect(mask)
    return [[x, y, x + width, y, x + width, y + height, x, y + height]]


_KINDS = (_compressed, _uncompressed, _polygons)


class TinySet:
    """Builds the json piece by piece, writes it and its frames."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ann_file = folder / "annotations" / "instances_train.json"
        self.img_prefix = folder / "train_images"
        self.raw = {
            "videos": [],
            "annotations": [],
            "categories": [{"id": 30, "name": "dog"}, {"id": 7, "name": "cat"}],
        }

    def add_video(self, video_id, frames=4, size=(36, 48)):
        names = [f"v{video_id}/{i:05d}.jpg" for i in range(frames)]
        video = {"id": video_id, "height": size[0], "width": size[1], "file_names": names}
        self.raw["videos"].append(video)
        return video

    def add_track(self, annotation_id, video, category_id=7, seen=None, crowd=0, x=4, y=6, side=10):
        """Add a square that moves right by one pixel a frame; `seen` are its frames, all by default."""
        size, frames = (video["height"], video["width"]), len(video["file_names"])
        boxes, segmentations, areas = [None] * frames, [None] * frames, [None] * frames
        for frame in range(frames) if seen is None else seen:
            boxes[frame] = [x + frame, y, side, side]
            segmentations[frame] = _KINDS[frame % 3](_square(size, x + frame, y, side))
            areas[frame] = side * side
        track = {
            "id": annotation_id,
            "video_id": video["id"],
            "category_id": category_id,
            "iscrowd": crowd,
            "bboxes": boxes,
            "segmentations": segmentations,
            "areas": areas,
        }
        self.raw["annotations"].append(track)
        return track

    def write_json(self):
        self.ann_file.parent.mkdir(parents=True, exist_ok=True)
        self.ann_file.write_text(json.dumps(self.raw))
        return str(self.ann_file)

    def write(self):
        """Write json and frames; return what a dataset takes."""
        self.write_json()
        rng = np.random.default_rng(0)
        for video in self.raw["videos"]:
            for name in video["file_names"]:
                path = self.img_prefix / name
                path.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(path), rng.integers(0, 255, (video["height"], video["width"], 3), dtype=np.uint8))
        return {"ann_file": str(self.ann_file), "img_prefix": str(self.img_prefix)}


@pytest.fixture
def tiny_set(tmp_path) -> TinySet:
    """An empty set in tmp_path."""
    return TinySet(tmp_path)


@pytest.fixture
def two_videos(tiny_set) -> TinySet:
    """A wide video of 6 frames with two objects, ids far from 1..n, and a high one of 3 frames with one object."""
    wide = tiny_set.add_video(905, frames=6)
    tiny_set.add_track(77, wide, category_id=7, seen=[0, 1, 2, 4])
    tiny_set.add_track(12, wide, category_id=30, seen=[1, 2, 5], x=20, y=12)
    high = tiny_set.add_video(3, frames=3, size=(48, 36))
    tiny_set.add_track(5000, high, category_id=30)
    return tiny_set
