"""Compute missing boxes and areas of an annotation from its masks. Decodes only the masks that are needed."""

from __future__ import annotations

from collections.abc import Sequence

from mmdet.errors import UserError
from mmdet.fileio.annotations.track_fields import XYWH, Segmentation
from mmdet.ops.masks.segmentations import mask_areas, mask_boxes, to_rles
from mmdet.structures import Size


def take_from_masks(
    boxes: list[XYWH | None],
    areas: list[float | None],
    segmentations: Sequence[Segmentation | None],
    size: Size,
    where: str,
) -> None:
    """Fill in the boxes and areas of a track that are None or not positive, in frames with a mask.

    Raises UserError for a mask that is needed and cannot be decoded; `where` is the track's place in its file.
    """
    frames = [
        frame
        for frame, (box, mask, area) in enumerate(zip(boxes, segmentations, areas, strict=True))
        if mask is not None and (box is None or area is None or box[2] <= 0 or box[3] <= 0 or area <= 0)
    ]
    if not frames:
        return
    try:
        rles = to_rles([segmentations[frame] for frame in frames], size)
    except ValueError as error:
        raise UserError(f"{where}: a box or an area is missing, and a mask cannot be decoded: {error}") from error
    for frame, (x, y, width, height), area in zip(frames, mask_boxes(rles).tolist(), mask_areas(rles), strict=True):
        box = boxes[frame]
        if box is None or box[2] <= 0 or box[3] <= 0:
            boxes[frame] = (x, y, width, height)
        if (areas[frame] or 0) <= 0:
            areas[frame] = float(area)
