"""The videos for a benchmark: made up in a temporary folder, or those of the config.

Made-up videos are demo videos at the size of real ones, with as many categories as the model has classes. Only a few
frames are drawn, because drawing takes long, but every frame of every video is its own file, read and decoded
separately.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmdet.benchmark.settings import BenchmarkSettings
from mmdet.config import RunConfig
from mmdet.datasets.synthetic.demo_set import SPLITS, generate_demo_set
from mmdet.structures import Size

FRAME_SIZE = (720, 1280)
DRAWN_FRAMES = 8  # per split
_OF_FRAMES = ("segmentations", "bboxes", "areas", "occlusion")  # per-frame lists of an annotation


@contextmanager
def benchmark_data(config: RunConfig, settings: BenchmarkSettings, size: Size) -> Iterator[tuple[RunConfig, Path]]:
    """Yield the config with the data, batch sizes and workers to measure, and a folder that is deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="memcnp-benchmark-") as folder:
        if not settings.own_data:
            classes = config.model["head"]["num_classes"]
            config = _with_made_up_data(config, settings, size, Path(folder), classes)
        workers, batch = settings.workers, settings.batch_size
        train, test = config.data.train, config.data.test
        if workers is not None:
            train, test = replace(train, workers=workers), replace(test, workers=workers)
        if batch is not None:
            train, test = replace(train, batch_size=batch), replace(test, chunk_size=batch)
        yield replace(config, data=replace(config.data, train=train, test=test)), Path(folder)


def _with_made_up_data(
    config: RunConfig, settings: BenchmarkSettings, size: Size, root: Path, num_classes: int
) -> RunConfig:
    """Generate videos of `size`.

    Return the config that trains on one half and tests on the other, with its own transforms.
    """
    drawn = min(settings.frames, DRAWN_FRAMES)
    generate_demo_set(root, train_videos=1, valid_videos=1, length=drawn, size=size, seed=settings.seed)
    places = {}
    for split in SPLITS:
        path, images = root / "annotations" / f"instances_{split}.json", root / f"{split}_images"
        content = json.loads(path.read_text(encoding="utf-8"))
        _multiply(content, images, settings)
        _set_categories(content, num_classes)
        path.write_text(json.dumps(content), encoding="utf-8")
        places[split] = {"ann_file": str(path), "img_prefix": str(images)}
    train = replace(config.data.train, datasets=[config.data.train.datasets[0] | places["train"]], ratios=None)
    test = replace(config.data.test, dataset=config.data.test.dataset | places["valid"])
    return replace(config, data=replace(config.data, train=train, test=test))


def describe_data(settings: BenchmarkSettings) -> str:
    """Return one line about the videos."""
    if settings.own_data:
        return "videos: the config's own"
    drawn = min(settings.frames, DRAWN_FRAMES)
    return f"videos: {drawn} drawn frames forward and back, each frame a copy in a file of its own, decoded for itself"


def _multiply(content: dict[str, Any], images: Path, settings: BenchmarkSettings) -> None:
    """Multiply the only video of a set to the wanted number and length: its frames forward, backward, and again."""
    (video,) = content["videos"]
    names, annotations = video["file_names"], content["annotations"]
    turns = [*range(len(names)), *range(len(names) - 2, 0, -1)]
    order = [turns[frame % len(turns)] for frame in range(settings.frames)]
    content["videos"], content["annotations"] = [], []
    for index in range(settings.videos):
        copies = [f"made_up_{index:04d}/{frame:05d}.jpg" for frame in range(len(order))]
        (images / copies[0]).parent.mkdir()
        for name, drawn in zip(copies, order, strict=True):
            shutil.copyfile(images / names[drawn], images / name)
        own = {**video, "id": video["id"] + index, "length": len(order), "file_names": copies}
        content["videos"].append(own)
        for annotation in annotations:
            of_frames = {name: [annotation[name][drawn] for drawn in order] for name in _OF_FRAMES}
            about = {"id": len(content["annotations"]) + 1, "video_id": own["id"]}
            content["annotations"].append({**annotation, **of_frames, **about})


def _set_categories(content: dict[str, Any], num_classes: int) -> None:
    """Change annotations to as many categories as the model has classes."""
    ids = [category["id"] for category in content["categories"]]
    wanted = (ids + list(range(max(ids) + 1, max(ids) + 1 + num_classes)))[:num_classes]
    content["categories"] = [{"id": number, "name": f"class {number}"} for number in wanted]
    for annotation in content["annotations"]:
        annotation["category_id"] = wanted[ids.index(annotation["category_id"]) % num_classes]
