"""Draw the ground truth of a video on one sheet: some of its frames, one colour per instance, crowds hatched.

A person can check on it whether masks and identities are right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch

from mmdet.fileio.atomic import write_atomically
from mmdet.fileio.pictures.drawn_jpeg import encode_drawing
from mmdet.structures import FrameTruth
from mmdet.visualization.draw import Color, DrawnObject, Picture, contact_sheet, draw_objects, resized_mask, track_color
from mmdet.visualization.text import render, shortened

TILE_WIDTH_PX = 480
TILE_HEIGHTS_PX = (48, 1440)  # minimum and maximum: tags fit on a low frame, and a sheet fits into a JPEG
COLUMNS = 4
MOST_FRAMES = 8  # shown of a video by default
CAPTION_HEIGHT_PX = 20
CAPTION_TEXT_PX = 13
CAPTION_MARGIN_PX = 4
TITLE_HEIGHT_PX = 30
TITLE_TEXT_PX = 18
JPEG_QUALITY = 88


@dataclass(frozen=True, slots=True)
class TruthFrame:
    """One frame of a sheet. Boxes and masks of `truth` are in the pixels of `image`."""

    image: Picture
    truth: FrameTruth
    caption: str


def evenly_spaced(count: int, most: int = MOST_FRAMES) -> list[int]:
    """Return at most `most` indices below `count`, including the first and the last."""
    return sorted({round(index) for index in np.linspace(0, count - 1, min(count, max(most, 0))).tolist()})


def truth_sheet(frames: Iterable[TruthFrame], class_names: Sequence[str], title: str = "") -> Picture:
    """Draw the frames of one video side by side, instances as `ID CLASS`, below a `title`.

    Frames of any size become tiles of one width; long and narrow frames get white space. Only the tiles are kept in
    memory. Raises ValueError without a frame.
    """
    tiles = [_tile(frame) for frame in frames]
    ids = sorted({instance_id for tile in tiles for instance_id in tile.truth.instance_ids.tolist()})
    colors = {instance_id: track_color(rank) for rank, instance_id in enumerate(ids)}
    pictures = [
        _with_caption(draw_objects(tile.image, truth_objects(tile.truth, class_names, colors)), tile.caption)
        for tile in tiles
    ]
    sheet = contact_sheet(pictures, COLUMNS)
    if not title:
        return sheet
    return np.concatenate([line_of_text(title, sheet.shape[1], TITLE_TEXT_PX, TITLE_HEIGHT_PX), sheet])


def truth_objects(truth: FrameTruth, class_names: Sequence[str], colors: Mapping[int, Color]) -> list[DrawnObject]:
    """Return the objects to draw of a frame's truth, with `colors` by instance id and tags like `77 cat`."""
    objects = []
    for row, mask in enumerate(truth.masks.numpy()):
        instance_id, is_crowd = int(truth.instance_ids[row]), bool(truth.is_crowd[row])
        objects.append(
            DrawnObject(
                mask=mask,
                box=tuple(truth.boxes[row].tolist()),
                label_text=f"{instance_id} {class_names[int(truth.labels[row])]}{' (crowd)' if is_crowd else ''}",
                color=colors[instance_id],
                hatched=is_crowd,
            )
        )
    return objects


def write_sheet(path: Path, sheet: Picture) -> None:
    """Write a sheet as JPEG; create the folder if needed. Raises UserError if it cannot be written."""
    data = encode_drawing(sheet, JPEG_QUALITY)
    write_atomically(path, lambda file: file.write(data))


def _tile(frame: TruthFrame) -> TruthFrame:
    """Resize a frame and its truth to the width of a tile, or to the largest height."""
    height, width = frame.image.shape[:2]
    factor = min(TILE_WIDTH_PX / width, TILE_HEIGHTS_PX[1] / height)
    rows, columns = max(round(height * factor), 1), max(round(width * factor), 1)
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    image = np.full((max(rows, TILE_HEIGHTS_PX[0]), TILE_WIDTH_PX, 3), 255, np.uint8)
    image[:rows, :columns] = cv2.resize(frame.image, (columns, rows), interpolation=interpolation)
    masks = np.zeros((len(frame.truth), *image.shape[:2]), bool)
    for resized, mask in zip(masks, frame.truth.masks.numpy(), strict=True):
        resized[:rows, :columns] = resized_mask(mask, (rows, columns))
    truth = replace(frame.truth, boxes=frame.truth.boxes * factor, masks=torch.from_numpy(masks))
    return TruthFrame(image=image, truth=truth, caption=frame.caption)


def _with_caption(picture: Picture, caption: str) -> Picture:
    """Put a line of text below a picture."""
    return np.concatenate([picture, line_of_text(caption, picture.shape[1], CAPTION_TEXT_PX, CAPTION_HEIGHT_PX)])


def line_of_text(text: str, width: int, text_px: int, height: int) -> Picture:
    """Return a white band with a line of text in its middle, cut if it is too long."""
    cover = render(shortened(text, text_px, width - 2 * CAPTION_MARGIN_PX), text_px)
    band = np.full((height, width, 3), 255, np.uint8)
    top = (height - cover.shape[0]) // 2
    band[top : top + cover.shape[0], CAPTION_MARGIN_PX : CAPTION_MARGIN_PX + cover.shape[1]] -= cover[..., None]
    return band
