"""Pictures of a validation: for a few fixed videos some frames with the truth above and the predictions below.

Videos and frames follow from the data set alone, so that pictures of one run can be compared with each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from mmdet.datasets import VISDataset
from mmdet.errors import UserError
from mmdet.fileio.annotations.vis_json import VideoInfo
from mmdet.structures import VideoResult
from mmdet.visualization.contact_sheet import evenly_spaced, line_of_text, truth_objects
from mmdet.visualization.draw import DrawnObject, Picture, contact_sheet, draw_objects, track_color
from mmdet.visualization.objects import objects_of_frame
from mmdet.visualization.video_writer import picture_names

FRAMES = 4  # of each video
TILE_SIDE_PX = 320  # longer side of a frame in the sheet, so that a sheet is at most 1300 x 700 pixels
BAND_HEIGHT_PX, BAND_TEXT_PX = 22, 14
GREY = 128  # instead of a frame that cannot be read


def shown_videos(
    dataset: VISDataset, results: Sequence[VideoResult], class_names: Sequence[str], threshold: float, most: int
) -> dict[str, Picture]:
    """Return sheets of at most `most` videos by their names; predictions are those of at least `threshold`.

    `results` are those of all videos in the data set's order, `class_names` those of their labels.
    """
    names = picture_names(dataset.videos)
    sheets = {}
    for index in evenly_spaced(len(dataset.videos), most):
        name = names[dataset.videos[index].video_id]
        kept = tuple(tube for tube in results[index].tubes if tube.score >= threshold)
        sheets[name] = _sheet(dataset, index, replace(results[index], tubes=kept), class_names, name, threshold)
    return sheets


def _sheet(
    dataset: VISDataset, index: int, result: VideoResult, class_names: Sequence[str], name: str, threshold: float
) -> Picture:
    truths, predictions = [], []
    frames = _frames(dataset.videos[index])
    for frame in frames:
        image, objects = _truth(dataset, index, frame)
        truths.append(_tile(image, objects))
        predictions.append(_tile(image, objects_of_frame(result, frame, class_names)))
    numbers = ", ".join(map(str, frames))
    rows = []
    said = (f"{name}, frames {numbers}: truth", f"predictions with a score of at least {threshold:.2g}")
    for tiles, line in zip((truths, predictions), said, strict=True):
        row = contact_sheet(tiles, FRAMES)
        rows += [line_of_text(line, row.shape[1], BAND_TEXT_PX, BAND_HEIGHT_PX), row]
    return np.concatenate(rows)


def _frames(video: VideoInfo) -> list[int]:
    """Return the shown frames of a video; where only some are annotated, of these."""
    known = range(len(video.file_names)) if video.annotated_frames is None else video.annotated_frames
    return [known[place] for place in evenly_spaced(len(known), FRAMES)] or [0]


def _truth(dataset: VISDataset, index: int, frame: int) -> tuple[Picture, list[DrawnObject]]:
    """Read a frame and its objects; a grey one without objects if it cannot be read."""
    try:
        image, truth = dataset.frame_truth(index, frame)
    except UserError:
        return np.full((*dataset.videos[index].size, 3), GREY, np.uint8), []
    colors = {number: track_color(number) for number in truth.instance_ids.tolist()}
    return image, truth_objects(truth, dataset.class_names, colors)


def _tile(image: Picture, objects: Sequence[DrawnObject]) -> Picture:
    """Draw a frame in the size of a tile."""
    factor = TILE_SIDE_PX / max(image.shape[:2])
    size = tuple(max(round(side * factor), 1) for side in image.shape[1::-1])
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    scaled = []
    for item in objects:
        mask = cv2.resize(item.mask.astype(np.float32), size, interpolation=interpolation) > 0.5
        scaled.append(replace(item, mask=mask, box=None))
    return draw_objects(np.asarray(cv2.resize(image, size, interpolation=interpolation), np.uint8), scaled)
