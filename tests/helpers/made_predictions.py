"""A made-up prediction: four frames of 20 x 30 pixels with two tracks, and the frames as writers get them."""

from pathlib import Path

import numpy as np
import torch

from mmdet.engine.inference.predicting.outputs.sink import PredictedFrame, ShownObject
from mmdet.fileio.results.predictions import PredictedVideo, write_predictions
from mmdet.ops.masks.segmentations import encode_masks
from mmdet.structures import PerFrame, TrackTube, VideoResult

SIZE, LENGTH = (20, 30), 4
NAMES, CATEGORY_IDS = ("disk", "ring", "star/five"), (10, 20, 30)
# Track 7 is a square that moves to the right and is hidden in frame 2, track 3 a bar on its lower half.
SEEN = {7: (0, 1, 3), 3: (1, 2, 3)}
LABELS = {7: (1, 1, 2), 3: (2, 2, 2)}
SCORES = {7: (0.9, 0.6, 0.6), 3: (0.25, 0.5, 0.75)}


def mask_of(track_id, frame):
    mask = np.zeros(SIZE, bool)
    if track_id == 7:
        mask[4:12, 2 * frame : 2 * frame + 8] = True
    else:
        mask[8:16, 1:25] = True
    return mask


def box_of(track_id, frame):
    return (2.0 * frame, 4.0, 2.0 * frame + 8, 12.0) if track_id == 7 else (-3.0, 8.0, 40.0, 16.0)


def make_tube(track_id, masks=None):
    frames = SEEN[track_id]
    masks = [mask_of(track_id, frame) for frame in frames] if masks is None else masks
    codes = encode_masks(torch.from_numpy(np.stack(masks)))
    return TrackTube(
        track_id=track_id,
        segmentations=PerFrame(LENGTH, frames, tuple(codes)),
        boxes=PerFrame(LENGTH, frames, tuple(box_of(track_id, frame) for frame in frames)),
        labels=PerFrame(LENGTH, frames, LABELS[track_id]),
        scores=PerFrame(LENGTH, frames, SCORES[track_id]),
    )


def make_video(tubes=None, **changes):
    tubes = (make_tube(7), make_tube(3)) if tubes is None else tubes
    settings = {
        "name": "clip",
        "source": "/videos/clip.mp4",
        "rate": 25.0,
        "times_s": [0.0, 0.04, 0.08, 0.12],
        "file_names": [f"clip/{frame:05d}.jpg" for frame in range(LENGTH)],
        "promised": 5,
        "complete": False,
        "class_names": NAMES,
        "category_ids": CATEGORY_IDS,
        "result": VideoResult(video_id=1, size=SIZE, num_frames=LENGTH, tubes=tuple(tubes)),
    }
    return PredictedVideo(**{**settings, **changes})


def make_frame(frame, ids=(7, 3)):
    """The frame with the objects of `ids` that it shows, best first."""
    objects = [
        ShownObject(track_id=track_id, label=1, score=0.5, box=box_of(track_id, frame), mask=mask_of(track_id, frame))
        for track_id in ids
        if frame in SEEN[track_id]
    ]
    image = np.random.default_rng(frame).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    return PredictedFrame(index=frame, time_s=frame / 25, image=image, objects=tuple(objects), picture=image)


def write_json(path: Path, video=None, **info):
    """Write the json of a video, as tools/predict.py does."""
    with path.open("wb") as file:
        write_predictions(file, {"source": "/videos/clip.mp4", "files": [], **info}, video or make_video())
    return path
