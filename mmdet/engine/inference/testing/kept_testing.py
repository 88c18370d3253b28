"""Prediction for a test that may be interrupted: every finished video is kept, and `--resume` goes on after them."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from mmdet.config import RunConfig
from mmdet.datasets import VISDataset
from mmdet.engine.inference.predictor import VideoPredictor
from mmdet.engine.inference.testing.classes import ResultClasses
from mmdet.engine.inference.testing.dataset import OnResult, end_if_stopped, predict_dataset
from mmdet.engine.inference.testing.kept_videos import Entries, KeptVideos
from mmdet.engine.inference.testing.options import InferenceOptions
from mmdet.engine.process.endings import SIGNAL_CODE_BASE, RunEnded
from mmdet.engine.process.faults import START_AGAIN, telling_faults
from mmdet.engine.process.processes import Ranks
from mmdet.engine.process.signals import StopSignals, heeded
from mmdet.engine.training.bad_frames import describe_bad_frames
from mmdet.engine.training.run_about import fingerprint
from mmdet.errors import UserError
from mmdet.ops.collectives import gather_objects
from mmdet.structures import VideoResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """The entries of all videos in data set order, lines about unreadable frames, and the store of finished videos."""

    entries: Entries
    bad: list[str]
    kept: KeptVideos | None


def describe_test(config: RunConfig, options: InferenceOptions, dataset: VISDataset) -> dict[str, Any]:
    """Return what the results of a test depend on, as plain values under names that a user understands."""
    values = json.loads(json.dumps(config.source.to_dict(), default=str))
    return {
        "checkpoint": fingerprint(Path(str(options.checkpoint))),
        "annotation file": fingerprint(Path(dataset.ann_file)),
        "config.model": values.get("model"),
        "config.tracker": values.get("tracker"),
        "list of transforms": values["data"]["test"]["dataset"].get("transforms"),
        "--amp": options.amp,
        "--dump_bbox": options.with_boxes,
        "--join_tracks": options.join_tracks,
        "--trust_classes": options.trust_classes,
        "--no_ema": not options.ema,
        "--map-categories": None if options.map_categories is None else list(options.map_categories),
        "--show, --save_vis_path or --thresh": [str(options.show_folder), options.threshold] if options.show else None,
    }


def predict_and_keep(
    predictor: VideoPredictor,
    config: RunConfig,
    ranks: Ranks,
    options: InferenceOptions,
    dataset: VISDataset,
    classes: ResultClasses,
    draw: OnResult | None,
) -> Predicted:
    """Predict the videos that are not finished yet; `draw` gets their results, entries are written as `classes` say.

    Whatever ends the test, finished videos are kept and the error says so. Videos with unreadable frames are not kept:
    they are predicted again.
    """
    kept = KeptVideos(options.kept, describe_test(config, options, dataset)) if options.kept else None
    finished = _finished_before(ranks, options, dataset, kept)
    places = {video.video_id: index for index, video in enumerate(dataset.videos)}

    def entries_of(result: VideoResult) -> Entries:
        return classes.entries([result], options.with_boxes)

    def finish(result: VideoResult) -> None:
        if draw:
            draw(result)
        if kept and not result.bad_frames:
            kept.add(places[result.video_id], entries_of(result))

    remaining = [index for index in range(len(dataset.videos)) if index not in finished]
    start = time.perf_counter()
    with StopSignals() as signals, saying_what_is_kept(kept, len(dataset.videos)), telling_faults(START_AGAIN):
        try:
            results = predict_dataset(predictor, dataset, config.data.test, finish, remaining, signals)
        except RuntimeError:  # the connection to processes that have ended
            end_if_stopped(signals)
            raise
    if ranks.is_main:
        frames = sum(result.num_frames for result in results)
        _say_speed(frames, time.perf_counter() - start, ranks, drawn=draw is not None)
    finished |= {index: entries_of(result) for index, result in zip(remaining, results, strict=True)}
    entries = [entry for index in range(len(dataset.videos)) for entry in finished[index]]
    return Predicted(entries=entries, bad=describe_bad_frames(results), kept=kept)


def _finished_before(
    ranks: Ranks, options: InferenceOptions, dataset: VISDataset, kept: KeptVideos | None
) -> dict[int, Entries]:
    """Return the videos that an interrupted test has finished, by index. The result is the same in every process."""
    if kept is None:
        return {}
    finished: dict[int, Entries] = {}
    say = partial(print, flush=True)
    if ranks.is_main:
        if options.resume and kept.path.exists():
            finished = kept.read([len(video.file_names) for video in dataset.videos], say)
            say(f"{len(finished)} of {len(dataset.videos)} videos are finished, in {kept.path}")
        else:
            if options.resume:
                say(f"--resume: there is no {kept.path}, so the test starts anew")
            elif (aside := kept.put_aside()) is not None:
                say(f"{aside} holds what an interrupted test had finished: without --resume the test starts anew")
            kept.start()
    finished, kept.run = gather_objects((finished, kept.run))[0]
    return finished


@contextmanager
def ending_at_once() -> Iterator[None]:
    """Raise RunEnded in the main thread as soon as a stop signal comes.

    Use it around work that leaves nothing half-done.
    """
    previous: dict[int, Any] = {}

    def end(number: int, frame: FrameType | None) -> None:
        raise RunEnded(f"stopped by {signal.Signals(number).name}", SIGNAL_CODE_BASE + number)

    try:
        if threading.current_thread() is threading.main_thread():
            for number in heeded():
                previous[number] = signal.signal(number, end)
        yield
    finally:
        for caught, handler in previous.items():
            signal.signal(caught, handler)


@contextmanager
def saying_what_is_kept(kept: KeptVideos | None, videos: int) -> Iterator[None]:
    """Add to the error that ends a test how much of the test is kept."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{error}; {_what_is_kept(kept, videos)}") from error
    except RunEnded as end:
        raise RunEnded(f"{end}; {_what_is_kept(kept, videos)}", end.exit_code) from end


def _what_is_kept(kept: KeptVideos | None, videos: int) -> str:
    if kept is None:
        return "no results are kept: with --out every finished video is kept"
    return f"{kept.count()} of {videos} videos are finished and kept in {kept.path}: go on with --resume"


def _say_speed(frames: int, seconds: float, ranks: Ranks, drawn: bool) -> None:
    parts = [f"{frames} frames in {seconds:.1f} s, {frames / seconds:.1f} a second from files to results"]
    if drawn:
        parts.append("drawing included")
    if ranks.device.type == "cuda":
        parts.append(f"peak GPU memory {torch.cuda.max_memory_allocated(ranks.device) / 2**30:.2f} GiB")
    print(", ".join(parts), flush=True)  # noqa: T201
