"""The videos that a benchmark reads: made up in a temporary folder, or the config's own.

Made-up videos are those of the demo set at the size of real ones, with as many categories as the model tells apart.
Knows nothing of what is measured.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from mmdet.config import RunConfig
from mmdet.datasets.synthetic import SPLITS, generate_demo_set
from mmdet.engine.benchmark import BenchmarkSettings
from mmdet.structures import Size

FRAME_SIZE = (720, 1280)


@contextmanager
def benchmark_data(config: RunConfig, settings: BenchmarkSettings, size: Size) -> Iterator[tuple[RunConfig, Path]]:
    """Give the config with the data, batch sizes and workers to measure, and a folder that is deleted afterwards."""
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
    """Generate videos of `size` and let the config train on one half and test on the other, transformed as before."""
    count = settings.videos
    generate_demo_set(
        root, train_videos=count, valid_videos=count, length=settings.frames, size=size, seed=settings.seed
    )
    places = {}
    for split in SPLITS:
        path = root / "annotations" / f"instances_{split}.json"
        _set_categories(path, num_classes)
        places[split] = {"ann_file": str(path), "img_prefix": str(root / f"{split}_images")}
    train = replace(config.data.train, datasets=[config.data.train.datasets[0] | places["train"]], ratios=None)
    test = replace(config.data.test, dataset=config.data.test.dataset | places["valid"])
    return replace(config, data=replace(config.data, train=train, test=test))


def _set_categories(path: Path, num_classes: int) -> None:
    """Give an annotation file as many categories as the model has classes."""
    content = json.loads(path.read_text())
    ids = [category["id"] for category in content["categories"]]
    wanted = (ids + list(range(max(ids) + 1, max(ids) + 1 + num_classes)))[:num_classes]
    content["categories"] = [{"id": number, "name": f"class {number}"} for number in wanted]
    for annotation in content["annotations"]:
        annotation["category_id"] = wanted[ids.index(annotation["category_id"]) % num_classes]
    path.write_text(json.dumps(content))
