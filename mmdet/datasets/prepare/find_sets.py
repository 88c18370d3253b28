"""Find data sets in a folder, in the layouts in which they are published.

These guesses are only for `tools/check_data.py`; training and testing use `ann_file` and `img_prefix` of the config.
Source: data/README.md.
"""

from __future__ import annotations

import re
from pathlib import Path

from mmdet.fileio.annotations.vis_json import VISJson

_ANN_FILE = re.compile(r"(instances|annotations|train|valid|val|test|gt)(_\w+)?\.json")
_MAX_DEPTH = 3  # ROOT/YVIS/annotations/instances_train.json
_FIGURES = ("videos", "frames", "missing", "tracks", "crowd", "categories")
_OTHER_NAMES = {"val": "valid", "valid": "val", "gt": "valid"}


def find_ann_files(root: Path) -> list[Path]:
    """Return the files below a folder that are named like annotation files, sorted."""
    patterns = ["/".join(["*"] * depth + ["*.json"]) for depth in range(_MAX_DEPTH)]
    return sorted(path for pattern in patterns for path in root.glob(pattern) if _ANN_FILE.fullmatch(path.name))


def find_img_prefix(ann_file: Path, data: VISJson) -> Path | None:
    """Return the folder near an annotation file that contains one of its frames, or None.

    The split follows from the names of the file and its folder: `instances_train_sub.json` belongs to `train`.
    """
    words = [*ann_file.stem.split("_"), ann_file.parent.name]
    splits = dict.fromkeys(name for word in words for name in (word, _OTHER_NAMES.get(word, word)))
    patterns = [pattern.format(split) for split in splits for pattern in ("{}_images", "{}/JPEGImages", "{}")]
    folders = [base / name for base in (ann_file.parent, ann_file.parent.parent) for name in (*patterns, "JPEGImages")]
    # the first and the last frame of every video: a copy may lack some
    samples = [name for video in data.videos for name in (video.file_names[0], video.file_names[-1])]
    present = (folder for folder in folders if folder.is_dir())
    return next((folder for folder in present if any((folder / name).is_file() for name in samples)), None)


def figures_line(data: VISJson, missing: int | str) -> str:
    """Return the figures of a set in one line; `missing` is the number of its missing frames."""
    frames = sum(len(video.file_names) for video in data.videos)
    crowd = sum(track.is_crowd for track in data.tracks)
    figures = (len(data.videos), frames, missing, len(data.tracks), crowd, len(data.categories))
    return "  ".join(f"{name} {figure}" for name, figure in zip(_FIGURES, figures, strict=True))
