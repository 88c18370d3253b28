"""Tiny sources for converters: images, videos, and the conversion of a source by its command line."""

import json
from pathlib import Path

import av
import cv2
import numpy as np
from pycocotools import mask as coco_mask

from mmdet.datasets.converting.conversion import ConvertRequest
from mmdet.datasets.converting.running import convert
from mmdet.fileio.annotations.vis_json import load_vis_json
from mmdet.ops.masks.segmentations import decode_segmentation

SIZE = (24, 32)
SQUARE = [4, 3, 12, 3, 12, 11, 4, 11]  # x, y, ... of 8 x 8 pixels


def write_images(folder, names, size=SIZE):
    """Write grey PNGs, each of its own brightness."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        coded = cv2.imencode(".png", np.full((*size, 3), 10 * number, np.uint8))[1]
        (folder / name).write_bytes(coded.tobytes())
    return folder


def write_video(path, length, size=(48, 64)):
    """Write an mp4 whose frames get brighter by 8 each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        for number in range(length):
            picture = np.full((*size, 3), 20 + 8 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def write_json(path, content):
    """Write a json file and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def run(name, source, out=None, **options):
    """Convert; return the conversion and the set as it is read back from the file."""
    out = out or Path(source).parent / "out.json"
    conversion = convert(name, ConvertRequest(source=source, **options), out)
    return conversion, load_vis_json(out)


def pixels_of(track, frame, size=SIZE):
    """Return the mask of a track in a frame as pixels, None if it has none."""
    segmentation = track.segmentations[frame]
    return None if segmentation is None else decode_segmentation(segmentation, size)


def seen_in(track):
    """Return the frames in which a track has a mask."""
    return [frame for frame, mask in enumerate(track.segmentations) if mask is not None]


def left_out(conversion):
    """Return what was left out, by what it is."""
    return {left.what: left.count for left in conversion.left_out if left.count}


def drawn(*outlines, size=SIZE):
    """Return the run lengths that pycocotools draws of polygons."""
    return coco_mask.merge(coco_mask.frPyObjects(list(outlines), *size))["counts"].decode()
