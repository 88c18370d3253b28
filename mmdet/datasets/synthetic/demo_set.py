"""Write the generated demo set in the YouTube-VIS layout. It is small, and the same seed always gives the same set.

`ROOT/{train,valid}_images/NAME/00000.jpg` and `ROOT/annotations/instances_{train,valid}.json`, with OVIS's `occlusion`.
The valid videos use other colour pairs and seeds than the training videos. `info` records the parameters and counts
what makes the set hard.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdet.datasets.synthetic.scene import MIN_VISIBLE_PX, OBJECTS_PER_FRAME, RenderedVideo, render_video
from mmdet.datasets.synthetic.shapes import CLASS_NAMES
from mmdet.errors import UserError
from mmdet.fileio.atomic import write_text_atomically
from mmdet.fileio.overwriting import check_output_folder
from mmdet.ops.masks.segmentations import encode_masks

GENERATOR_NAME = "memcnp-vis generated demo set"
GENERATOR = f"{GENERATOR_NAME}, version 1"  # raise the version when the pictures change
SPLITS = ("train", "valid")
CATEGORY_IDS = (3, 8, 14, 21, 34)  # one per name of CLASS_NAMES; with gaps, as in real sets
FIRST_VIDEO_ID = {"train": 11, "valid": 5007}
JPEG_QUALITY = 92
WORKERS = 2  # threads: cv2 and numpy draw outside of the interpreter lock
OCCLUSION_NAMES = ("no_occlusion", "slight_occlusion", "severe_occlusion")
OCCLUSION_BOUNDS = (0.05, 0.5)  # fractions hidden at which the next name begins
UNFINISHED = ".unfinished_demo_set"  # a file in the folder until the set is complete
MIN_SIZE = 48  # pixels per side; in smaller pictures objects vanish


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoParameters:
    """The parameters of a demo set. `size` is (height, width), `length` the frames per video."""

    train_videos: int = 160
    valid_videos: int = 24
    length: int = 12
    size: tuple[int, int] = (128, 192)
    seed: int = 0

    def to_info(self) -> dict[str, Any]:
        """Return the content of the json's `info.parameters`."""
        return {**asdict(self), "size": list(self.size)}


def generate_demo_set(
    root: Path,
    train_videos: int = 160,
    valid_videos: int = 24,
    length: int = 12,
    size: tuple[int, int] = (128, 192),
    seed: int = 0,
) -> None:
    """Write the demo set under `root`. The annotation files come last, so a set that has them is complete.

    Raises UserError if `root` holds annotations of another data set, and for sizes too small to draw in.
    """
    parameters = DemoParameters(
        train_videos=train_videos, valid_videos=valid_videos, length=length, size=size, seed=seed
    )
    if min(size) < MIN_SIZE or length < 1 or min(train_videos, valid_videos) < 1:
        raise UserError(
            f"demo set of {train_videos} + {valid_videos} videos of {length} frames of {size}: at least one video, "
            f"one frame and {MIN_SIZE} pixels per side are needed"
        )
    check_output_folder(root, "the demo set's folder")
    _forget(root)
    unfinished = root / UNFINISHED
    write_text_atomically(unfinished, GENERATOR)
    contents = {split: _write_split(root, split, parameters) for split in SPLITS}
    for split, content in contents.items():
        write_text_atomically(_annotation_file(root, split), json.dumps(content, separators=(",", ":")))
    unfinished.unlink()


def has_demo_set(root: Path, parameters: DemoParameters) -> bool:
    """Return whether `root` holds a complete demo set made from `parameters`."""
    for split in SPLITS:
        content = _load(_annotation_file(root, split))
        info = content["info"]
        if (info.get("description"), info.get("parameters")) != (GENERATOR, parameters.to_info()):
            return False
        names = [name for video in content["videos"] for name in video["file_names"]]
        if not all((root / f"{split}_images" / name).is_file() for name in names):
            return False
    return True


def _annotation_file(root: Path, split: str) -> Path:
    return root / "annotations" / f"instances_{split}.json"


def _load(path: Path) -> dict[str, Any]:
    """Read a json whose `info` is a dict. For any other content, or no file, return an empty `info`."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = None
    if isinstance(content, dict) and isinstance(content.get("info"), dict):
        return content
    return {"info": {}}


def _forget(root: Path) -> None:
    """Remove the annotations of an earlier demo set, so that an interrupted run does not look complete."""
    paths = [path for path in (_annotation_file(root, split) for split in SPLITS) if path.exists()]
    for path in paths:
        if not str(_load(path)["info"].get("description")).startswith(GENERATOR_NAME):
            raise UserError(f"{path} is not of a generated demo set and would be overwritten: choose another root")
    if not paths and not (root / UNFINISHED).is_file():
        for folder in (root / f"{split}_images" for split in SPLITS):
            if folder.exists():
                raise UserError(f"{folder} is not of a generated demo set and would be filled: choose another root")
    for path in paths:
        path.unlink()


def _write_split(root: Path, split: str, parameters: DemoParameters) -> dict[str, Any]:
    """Draw and write the videos of one split; return its annotation json."""
    count = parameters.train_videos if split == "train" else parameters.valid_videos
    gaps = np.random.default_rng([parameters.seed, SPLITS.index(split)]).integers(1, 4, count)
    video_ids = FIRST_VIDEO_ID[split] + np.cumsum(gaps)
    with ThreadPoolExecutor(WORKERS) as pool:
        written = list(pool.map(partial(_write_video, root, split, parameters), range(count), video_ids.tolist()))
    annotations = [annotation for _, tracks in written for annotation in tracks]
    return {
        "info": {
            "description": GENERATOR,
            "split": split,
            "parameters": parameters.to_info(),
            "statistics": _statistics(annotations),
        },
        "categories": [
            {"id": category_id, "name": name, "supercategory": "shape"}
            for category_id, name in zip(CATEGORY_IDS, CLASS_NAMES, strict=True)
        ],
        "videos": [video for video, _ in written],
        "annotations": [{"id": index, **annotation} for index, annotation in enumerate(annotations, start=1)],
    }


def _write_video(
    root: Path, split: str, parameters: DemoParameters, index: int, video_id: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Draw and write one video; return its entries in `videos` and, without ids, in `annotations`."""
    seed = (parameters.seed, SPLITS.index(split), index)
    video = render_video(seed, parameters.length, parameters.size, held_out=split == "valid")
    name = f"{split}_{index:04d}"
    folder = root / f"{split}_images" / name
    folder.mkdir(parents=True, exist_ok=True)
    file_names = [f"{name}/{frame_index:05d}.jpg" for frame_index in range(parameters.length)]
    for file_name, frame in zip(file_names, video.frames, strict=True):
        path = root / f"{split}_images" / file_name
        bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
        if not cv2.imwrite(str(path), bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]):
            raise UserError(f"{path} cannot be written: is the disk full or the folder read-only?")
    height, width = parameters.size
    entry = {"id": video_id, "height": height, "width": width, "length": parameters.length, "file_names": file_names}
    return entry, [{"video_id": video_id, **_annotate(video, track)} for track in range(len(video.labels))]


def _annotate(video: RenderedVideo, track: int) -> dict[str, Any]:
    """Return the annotation of one track without its own id and the id of its video."""
    present = video.present[track]
    masks = [mask if seen else None for mask, seen in zip(video.masks[track], present, strict=True)]
    levels = np.digitize(video.hidden[track], OCCLUSION_BOUNDS)
    return {
        "category_id": CATEGORY_IDS[video.labels[track]],
        "iscrowd": 0,
        "height": video.frames.shape[1],
        "width": video.frames.shape[2],
        "segmentations": [
            rle if seen else None for rle, seen in zip(encode_masks(video.masks[track]), present, strict=True)
        ],
        "bboxes": [None if mask is None else _tight_xywh(mask) for mask in masks],
        "areas": [None if mask is None else int(mask.sum()) for mask in masks],
        "occlusion": [OCCLUSION_NAMES[level] if seen else None for level, seen in zip(levels, present, strict=True)],
        "texture": video.textures[track].key(),
    }


def _tight_xywh(mask: NDArray[np.bool_]) -> list[int]:
    """Return the half-open box around a mask as x, y, width, height in pixels."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    x, y = int(columns[0]), int(rows[0])
    return [x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y]


def _statistics(annotations: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Count what makes the set hard. `hard` tracks are severely occluded in some frame, or absent and back again."""
    tracks = severe = returning = hard = masks = 0
    for annotation in annotations:
        seen = np.flatnonzero([area is not None for area in annotation["areas"]])
        is_severe = OCCLUSION_NAMES[2] in annotation["occlusion"]
        is_returning = bool(seen[-1] - seen[0] + 1 > len(seen))
        tracks, masks = tracks + 1, masks + len(seen)
        severe, returning, hard = severe + is_severe, returning + is_returning, hard + (is_severe or is_returning)
    return {
        "tracks": tracks,
        "masks": masks,
        "severely_occluded_tracks": severe,
        "returning_tracks": returning,
        "hard_tracks": hard,
        "hard_fraction": round(hard / tracks, 4),
        "objects_per_frame": list(OBJECTS_PER_FRAME),
        "min_visible_px": MIN_VISIBLE_PX,
    }
