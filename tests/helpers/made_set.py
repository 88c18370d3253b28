"""A YouTube-VIS set of textured frames and rectangular objects, written to a folder for configs and command lines."""

import json
from pathlib import Path

import cv2
import numpy as np
from pycocotools import mask as coco_mask

SIZE = (64, 96)


def rectangle(box, size=SIZE):
    """The mask of a whole-pixel xyxy box."""
    x1, y1, x2, y2 = box
    mask = np.zeros(size, np.uint8)
    mask[y1:y2, x1:x2] = 1
    return mask


def write_set(folder: Path, videos, class_names=("dog", "cat"), size=SIZE, seed=0):
    """Write a set and return the arguments of a dataset for it.

    `videos`: by id, a list of objects; an object is (category id from 1, is_crowd, boxes), one box or None per frame.
    """
    rng = np.random.default_rng(seed)
    raw = {
        "videos": [],
        "annotations": [],
        "categories": [{"id": 1 + place, "name": name} for place, name in enumerate(class_names)],
    }
    for video_id, objects in videos.items():
        names = [f"v{video_id}/{frame:05d}.png" for frame in range(len(objects[0][2]))]
        raw["videos"].append({"id": video_id, "height": size[0], "width": size[1], "file_names": names})
        for name in names:
            path = folder / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), rng.integers(60, 200, (*size, 3), dtype=np.uint8))
        raw["annotations"] += [
            _annotation(len(raw["annotations"]) + place, video_id, item, size) for place, item in enumerate(objects, 11)
        ]
    ann_file = folder / "instances.json"
    ann_file.parent.mkdir(parents=True, exist_ok=True)
    ann_file.write_text(json.dumps(raw))
    return {"ann_file": str(ann_file), "img_prefix": str(folder / "images")}


def _annotation(annotation_id, video_id, item, size):
    category_id, is_crowd, boxes = item
    segmentations = []
    for box in boxes:
        rle = None if box is None else coco_mask.encode(np.asfortranarray(rectangle(box, size)))
        segmentations.append(rle and {"size": list(size), "counts": rle["counts"].decode()})
    return {
        "id": annotation_id,
        "video_id": video_id,
        "category_id": category_id,
        "iscrowd": int(is_crowd),
        "bboxes": [box and [box[0], box[1], box[2] - box[0], box[3] - box[1]] for box in boxes],
        "segmentations": segmentations,
        "areas": [box and (box[2] - box[0]) * (box[3] - box[1]) for box in boxes],
    }
