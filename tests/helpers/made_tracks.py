"""Truth and results of one small video, as json entries: objects are boxes of ten columns that stay where they are."""

import numpy as np

from mmdet.ops.masks.segmentations import encode_masks

SIZE = (20, 40)


def box(left, width=10, size=SIZE):
    mask = np.zeros((1, *size), dtype=bool)
    mask[:, 4:14, left : left + width] = True
    return encode_masks(mask)[0]


def annotation(annotation_id, category_id, left, frames, **more):
    entry = {"id": annotation_id, "video_id": 1, "category_id": category_id, "iscrowd": 0}
    return entry | {"segmentations": [box(left)] * frames, "areas": [100] * frames} | more


def result(category_id, segmentations, score=0.9):
    return {"video_id": 1, "category_id": category_id, "score": score, "segmentations": segmentations}
