"""Speed of data loading: items on one core, a large annotation file, loading with workers, waiting of training."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from typing import Any

import cv2
import simplejpeg
import torch
from torch.utils.data import DataLoader

from mmdet.benchmark.made_up_videos import FRAME_SIZE, benchmark_data
from mmdet.benchmark.network import make_train_step
from mmdet.benchmark.report import Case
from mmdet.benchmark.settings import BenchmarkSettings
from mmdet.benchmark.timing import MS, Spread, peak_memory, synchronize
from mmdet.config import RunConfig
from mmdet.datasets import ItemKey, MixedDataset, VISDataset, make_train_loader
from mmdet.engine.inference.testing.dataset import build_test_dataset
from mmdet.engine.training.run import build_train_dataset
from mmdet.engine.training.steps.readback import Readback
from mmdet.fileio.pictures.frame_files import frame_path
from mmdet.structures import ClipBatch

ITEMS, ITEM_WARMUP = 100, 10
BATCHES, BATCH_WARMUP = 60, 4
STEPS, STEP_WARMUP, CPU_STEPS = 60, 10, 3
INDEX_FRAMES, INDEX_OBJECTS = 30, 3  # per video, about as in YouTube-VIS

TrainData = VISDataset | MixedDataset


def measure_data(config: RunConfig, settings: BenchmarkSettings) -> list[Case]:
    """Measure items, index, loader and the waiting time of training, on frames of the first size."""
    size = (settings.sizes or (FRAME_SIZE,))[0]
    with benchmark_data(config, settings, size) as (data, _):
        train = build_train_dataset(data)
        test = build_test_dataset(data.data.test, "config.data.test")
        source = Path((train.datasets[0] if isinstance(train, MixedDataset) else train).ann_file)
        with _one_core():
            cases = [_measure_items(train, test, settings), _measure_index(source, settings)]
        cases.append(_measure_loader(train, data, settings))
        return [*cases, _measure_wait(train, data, settings)]


def _measure_items(train: TrainData, test: VISDataset, settings: BenchmarkSettings) -> Case:
    frames = [frame_path(test.img_prefix, name) for video in test.videos for name in video.file_names]
    jpegs = [Path(path).read_bytes() for path in frames[:ITEMS]]
    places = [(video, frame) for video, info in enumerate(test.videos) for frame in range(len(info.file_names))]
    objects: list[int] = []

    def pair(index: int) -> None:
        epoch, item = divmod(index, len(train))
        objects.extend(len(truth) for truth in train[ItemKey(epoch, item)].truths)

    def frame(index: int) -> None:
        test.test_sample(*places[index % len(places)])

    def decode(index: int) -> None:
        simplejpeg.decode_jpeg(jpegs[index % len(jpegs)], "RGB")

    height, width = test.videos[0].size
    return Case(
        name=f"items on one core, frames of {height}x{width}",
        figures={
            "training_pair_ms": _time_calls(pair, settings),
            "test_frame_ms": _time_calls(frame, settings),
            "jpeg_decode_ms": _time_calls(decode, settings),
            "jpeg_kib": sum(map(len, jpegs)) / len(jpegs) / 1024,
            "objects_a_frame": sum(objects) / len(objects),
        },
        notes=("jpeg_decode: alone; a pair needs two of them",),
    )


def _measure_index(source: Path, settings: BenchmarkSettings) -> Case:
    with tempfile.TemporaryDirectory(prefix="memcnp-benchmark-") as folder:
        path = Path(folder) / "instances.json"
        write_large_json(source, path, settings.index_videos)
        start = time.perf_counter()
        json.loads(path.read_bytes())
        parsed = time.perf_counter()
        dataset = VISDataset(str(path), folder, [], check_files=False)
        done = time.perf_counter()
        return Case(
            name=f"reading an annotation file of {settings.index_videos} videos, {INDEX_FRAMES} frames each with "
            f"{INDEX_OBJECTS} objects",
            figures={
                "index_s": done - parsed,
                "json_alone_s": parsed - start,
                "items": len(dataset),
                "file_mib": path.stat().st_size / 2**20,
            },
        )


def _measure_loader(train: TrainData, config: RunConfig, settings: BenchmarkSettings) -> Case:
    section = config.data.train
    batches = _endless(make_train_loader(train, section.batch_size, section.workers, settings.seed))
    started = time.perf_counter()
    next(batches)
    first = time.perf_counter() - started
    steps = BATCHES if settings.steps is None else settings.steps
    for _ in islice(batches, BATCH_WARMUP + 2 * section.workers):  # without batches that workers made in advance
        pass
    start, cpu = time.perf_counter(), time.process_time()
    for _ in islice(batches, steps):
        pass
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    return Case(
        name=f"loader, {section.workers} workers, batches of {section.batch_size} pairs",
        figures={
            "pairs_per_second": section.batch_size * steps / seconds,
            "batch_ms": MS * seconds / steps,
            "main_process_cpu_ms_a_batch": MS * cpu / steps,
            "first_batch_s": first,
        },
    )


def _measure_wait(train: TrainData, config: RunConfig, settings: BenchmarkSettings) -> Case:
    """Train as the trainer does, with the loader, then again on the same batches kept in memory."""
    section, device = config.data.train, settings.device
    steps = (STEPS if device.type == "cuda" else CPU_STEPS) if settings.steps is None else settings.steps
    warmup = STEP_WARMUP if settings.warmup is None else settings.warmup
    step, readback = make_train_step(config, settings), Readback(device)

    def batches() -> Iterator[ClipBatch]:
        return _endless(make_train_loader(train, section.batch_size, section.workers, settings.seed))

    def take(source: Iterator[ClipBatch], number: int) -> tuple[list[float], float]:
        """Make steps. Return how long each waited for its batch, and the total time, in milliseconds."""
        waits, start = [], time.perf_counter()
        for index in range(number):
            before = time.perf_counter()
            batch = next(source)
            waits.append(MS * (time.perf_counter() - before))
            readback.put(index + 1, step([batch]), (), 0)
            list(readback.take())
        list(readback.take(everything=True))
        synchronize(device)
        return waits, MS * (time.perf_counter() - start)

    source = batches()
    take(source, warmup)
    waits, loaded = take(source, steps)
    # Loaded again: keeping the batches above would have made every copy go to new page-locked memory.
    kept = list(islice(batches(), warmup, warmup + steps))
    _, from_memory = take(iter(kept), steps)
    figures: dict[str, float | Spread] = {
        "step_ms": loaded / steps,
        "step_from_memory_ms": from_memory / steps,
        "wait_ms": Spread.from_values(waits),
        "wait_share_percent": 100 * sum(waits) / loaded,
        "lost_to_input_percent": 100 * max(0.0, 1 - from_memory / loaded),
        **peak_memory(device),
    }
    name = f"training with the loader, {section.workers} workers, batches of {section.batch_size} pairs"
    note = "wait: of the host for its next batch, which a GPU may be busy during; lost: against batches from memory"
    return Case(name=name, figures=figures, notes=(note,))


def write_large_json(source: Path, path: Path, videos: int) -> None:
    """Write an annotation file with so many videos. Its tracks use the boxes and masks of a small file."""
    content = json.loads(source.read_text(encoding="utf-8"))
    seen = [
        (box, code, area)
        for track in content["annotations"]
        for box, code, area in zip(track["bboxes"], track["segmentations"], track["areas"], strict=True)
        if box is not None
    ]
    pieces = (seen[index % len(seen)] for index in count())
    size = {key: content["videos"][0][key] for key in ("height", "width")}
    tracks: list[dict[str, Any]] = []
    for video in range(1, videos + 1):
        for _ in range(INDEX_OBJECTS):
            boxes, codes, areas = zip(*islice(pieces, INDEX_FRAMES), strict=True)
            place = {"id": len(tracks) + 1, "video_id": video, "category_id": content["categories"][0]["id"]}
            tracks.append({**place, "iscrowd": 0, "bboxes": boxes, "segmentations": codes, "areas": areas})
    content["annotations"] = tracks
    content["videos"] = [
        {"id": video, **size, "file_names": [f"{video}/{frame:05d}.jpg" for frame in range(INDEX_FRAMES)]}
        for video in range(1, videos + 1)
    ]
    path.write_text(json.dumps(content), encoding="utf-8")


@contextmanager
def _one_core() -> Iterator[None]:
    """Limit torch and OpenCV to one thread inside this context, as in a loader's worker."""
    threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    try:
        yield
    finally:
        torch.set_num_threads(threads[0])
        cv2.setNumThreads(threads[1])


def _time_calls(call: Callable[[int], object], settings: BenchmarkSettings) -> Spread:
    """Time single calls on the host, in milliseconds."""
    warmup = ITEM_WARMUP if settings.warmup is None else settings.warmup
    steps = ITEMS if settings.steps is None else settings.steps
    times = []
    for index in range(warmup + steps):
        start = time.perf_counter()
        call(index)
        times.append(MS * (time.perf_counter() - start))
    return Spread.from_values(times[warmup:])


def _endless(loader: DataLoader[ClipBatch]) -> Iterator[ClipBatch]:
    """Yield the batches of epoch after epoch."""
    sampler: Any = loader.batch_sampler
    for epoch in count():
        sampler.set_position(epoch)
        yield from loader
