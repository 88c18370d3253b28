"""Draw what each transform does to a pair of the demo set: the pictures of docs/data.md.

    python tools/make_demo_data.py
    python docs/draw_transforms.py --data data/demo --out docs/transforms

A picture shows key and reference after the transform; one colour is one object in both. Draws are fixed, so that every
call draws the same.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from mmdet.datasets import CopyPaste, RawFrame, VISDataset
from mmdet.fileio.atomic import write_atomically
from mmdet.fileio.pictures.drawn_jpeg import encode_drawing
from mmdet.registry import TRANSFORMS
from mmdet.visualization.draw import DrawnObject, Picture, contact_sheet, draw_objects, enlarge, track_color

ENLARGED, QUALITY = 2, 75
VIDEO, FRAMES, OTHER = 81, (3, 6), 28  # indices in the set: the pair, and the video from which objects are pasted
STILLS = ("StillPairs", "IndependentCrop")  # both of their frames are the key

# name of the picture -> a transform that surely acts, and the seed of its draws
DRAWN: dict[str, tuple[dict[str, Any], int]] = {
    "large_scale_jitter": ({"type": "LargeScaleJitter", "size": (128, 192)}, 5),
    "random_flip": ({"type": "RandomFlip", "probability": 1.0}, 0),
    "copy_paste": ({"type": "CopyPaste", "probability": 1.0}, 1),
    "random_affine": ({"type": "RandomAffine", "rotation": 15.0, "probability": 1.0, "difference": 0.2}, 0),
    "still_pairs": ({"type": "StillPairs"}, 0),
    "independent_crop": ({"type": "IndependentCrop", "fraction": (0.5, 0.9)}, 0),
    "random_erasing": ({"type": "RandomErasing", "most": 3, "probability": 1.0}, 0),
    "color_jitter": ({"type": "ColorJitter", "grey": 0.0, "probability": 1.0}, 0),
    "gaussian_blur": ({"type": "GaussianBlur", "sigma": (2.0, 2.0), "probability": 1.0}, 0),
    "motion_blur": ({"type": "MotionBlur", "length": (11, 11), "probability": 1.0}, 0),
    "jpeg_noise": ({"type": "JPEGNoise", "quality": (10, 10), "probability": 1.0}, 0),
    "torchvision": (
        {"type": "TorchVisionTransform", "name": "RandomPerspective", "distortion_scale": 0.3, "p": 1.0},
        3,
    ),
}


def raw_frame(dataset: VISDataset, video: int, frame: int) -> RawFrame:
    """Return a frame of a set as transforms get it."""
    image, truth = dataset.frame_truth(video, frame)
    return RawFrame(
        image=image,
        boxes=truth.boxes.numpy(),
        masks=truth.masks.numpy().astype(np.uint8),
        scale=1.0,
        original_size=(image.shape[0], image.shape[1]),
        frame_index=frame,
        is_crowd=truth.is_crowd.numpy(),
        labels=truth.labels.numpy(),
        instance_ids=truth.instance_ids.numpy(),
    )


def transformed(dataset: VISDataset, part: dict[str, Any], seed: int) -> list[RawFrame]:
    """Return the pair after a transform."""
    places = (FRAMES[0],) * 2 if part["type"] in STILLS else FRAMES
    frames, rng = [raw_frame(dataset, VIDEO, place) for place in places], np.random.default_rng(seed)
    transform = TRANSFORMS.build(part)
    if isinstance(transform, CopyPaste):
        return transform.paste(frames, lambda _: [raw_frame(dataset, OTHER, place) for place in FRAMES], rng)
    return list(transform(frames, rng))


def picture_of(frame: RawFrame, ids: list[int]) -> Picture:
    """Return a frame enlarged, with its objects drawn; `ids` gives each id its colour."""
    drawn = [
        DrawnObject(mask=mask > 0, box=(x1, y1, x2, y2), label_text=str(number), color=track_color(ids.index(number)))
        for mask, (x1, y1, x2, y2), number in zip(frame.masks, frame.boxes.tolist(), ids_of(frame), strict=True)
        if x2 > x1
    ]
    return draw_objects(*enlarge(frame.image, drawn, ENLARGED))


def ids_of(frame: RawFrame) -> list[int]:
    """Return the ids of a frame's objects."""
    return [] if frame.instance_ids is None else [int(number) for number in frame.instance_ids]


def main() -> None:
    """Draw all pictures."""
    parser = argparse.ArgumentParser(description="draw what each transform does to a pair of the demo set")
    parser.add_argument("--data", type=Path, default=Path("data/demo"), help="folder of the demo set")
    parser.add_argument("--out", type=Path, default=Path("docs/transforms"), help="folder for the pictures")
    options = parser.parse_args()
    ann_file = options.data / "annotations/instances_train.json"
    dataset = VISDataset(str(ann_file), str(options.data / "train_images"), [])
    pairs = {"before": [raw_frame(dataset, VIDEO, place) for place in FRAMES]}
    pairs |= {name: transformed(dataset, part, seed) for name, (part, seed) in DRAWN.items()}
    options.out.mkdir(parents=True, exist_ok=True)
    for name, frames in pairs.items():
        ids = sorted({number for frame in [*pairs["before"], *frames] for number in ids_of(frame)})
        sheet = contact_sheet([picture_of(frame, ids) for frame in frames], columns=2)
        data = encode_drawing(sheet, QUALITY)
        path = options.out / f"{name}.jpg"
        write_atomically(path, lambda file, data=data: file.write(data))


if __name__ == "__main__":
    main()
