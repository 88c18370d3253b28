"""Small frames with rectangular objects, as transforms get them."""

from dataclasses import replace

import numpy as np

from mmdet.datasets import RawFrame


def frame_of(objects, size=(40, 60), frame_index=0, image=None, seed=0):
    """A frame of noise; `objects`: by id, a box or (box, is_crowd). Labels are ids modulo 3."""
    boxes = {name: item if len(item) == 4 else item[0] for name, item in objects.items()}
    masks = np.zeros((len(boxes), *size), np.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.values(), strict=True):
        mask[y1:y2, x1:x2] = 1
    noise = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    return RawFrame(
        image=noise if image is None else image,
        boxes=np.array(list(boxes.values()), np.float32).reshape(-1, 4),
        masks=masks,
        scale=1.0,
        original_size=size,
        frame_index=frame_index,
        is_crowd=np.array([len(item) == 2 and item[1] for item in objects.values()], bool),
        labels=np.array([name % 3 for name in objects], np.int64),
        instance_ids=np.array(list(objects), np.int64),
    )


def box_of(mask):
    """The box of a mask, none of its sides inside of it."""
    rows, columns = np.nonzero(mask)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def coloured(frame):
    """The same frame with its objects in one colour over black, so that picture and masks can be compared."""
    image = np.where(frame.masks.any(axis=0)[..., None], 255, 0).astype(np.uint8).repeat(3, axis=2)
    return replace(frame, image=image)


def assert_kept(frame, before):
    """Rows, ids, labels and crowds are as before."""
    for name in ("labels", "instance_ids", "is_crowd"):
        assert np.array_equal(getattr(frame, name), getattr(before, name))
    assert len(frame.boxes) == len(frame.masks) == len(before.boxes)
