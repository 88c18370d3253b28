"""Tiny copies of published sets: frames, mask PNGs of every kind, and squares as masks."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from mmdet.ops.masks.segmentations import decode_segmentation

SIZE = (20, 30)


def squares(size=SIZE, dtype=np.uint16, **places):
    """An image of ids with a square of 5 pixels for each `_ID=(x, y)`."""
    ids = np.zeros(size, dtype)
    for name, (x, y) in places.items():
        ids[y : y + 5, x : x + 5] = int(name[1:])
    return ids


def add_frames(folder: Path, names, size=SIZE):
    """Write grey frames."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        cv2.imwrite(str(folder / name), np.full((*size, 3), 90, np.uint8))


def add_png(path: Path, pixels):
    """Write a PNG: 16 or 8 bits of grey (H, W), or colours (H, W, 3 or 4)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def add_palette_png(path: Path, ids):
    """Write a PNG whose palette indices are ids, some of them of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.frombytes("P", ids.shape[::-1], ids.astype(np.uint8).tobytes())
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0] + [7] * 756)
    image.save(path)
    return path


def colours(ids, alpha=None):
    """Colours (H, W, 3 or 4) of ids R + 256 G + 256^2 B."""
    ids = ids.astype(np.int64)
    channels = [ids % 256, ids // 256 % 256, ids // 65536] + ([] if alpha is None else [np.full(ids.shape, alpha)])
    return np.stack(channels, axis=2).astype(np.uint8)


def counts(mask):
    """The compressed counts of a mask, as texts and json files have them."""
    return coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()


def masks_of(track, size=SIZE):
    """The masks of a track, (H, W) bool, None in frames without."""
    return [None if mask is None else decode_segmentation(mask, size) for mask in track.segmentations]


def assert_masks(track, expected, size=SIZE):
    """Compare the masks of a track pixel for pixel, frame by frame; None is no mask."""
    masks = masks_of(track, size)
    assert [mask is None for mask in masks] == [mask is None for mask in expected]
    for mask, wanted in zip(masks, expected, strict=True):
        assert wanted is None or np.array_equal(mask, wanted)
