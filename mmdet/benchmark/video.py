"""Speed of tracking: frame by frame from decoded pictures, and whole data sets from JPEG files to the result json.

Random weights find nothing, so every frame gets a fixed number of detections, whatever their scores; a checkpoint does
the same if a number is given. Masks of random weights are noise, which has the longest possible run-length codes.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle
from pathlib import Path

from mmdet.benchmark.made_up_videos import FRAME_SIZE, benchmark_data, describe_data
from mmdet.benchmark.memory import synthetic_frames
from mmdet.benchmark.network import prepare_model
from mmdet.benchmark.profile import profile_case
from mmdet.benchmark.report import Case
from mmdet.benchmark.settings import BenchmarkSettings
from mmdet.benchmark.timing import MS, Spread, forget_peak_memory, peak_memory, synchronize, time_steps
from mmdet.config import RunConfig
from mmdet.engine.inference.predictor import VideoPredictor
from mmdet.engine.inference.testing.dataset import build_test_dataset, predict_dataset
from mmdet.fileio.results.result_file import write_results
from mmdet.structures import Size, VideoResult, results_to_json

OBJECTS = 10  # detections per frame with random weights
NO_THRESHOLD = -1.0  # below every score
STREAM_STEPS, STREAM_WARMUP = 200, 20  # frames
PASSES = 3  # passes over all videos, after one for warm-up
DECODED = 24  # frames used in rotation
_NOISE = "random weights: masks are noise, the worst case of run-length coding; --checkpoint gives real ones"


def measure_stream(config: RunConfig, settings: BenchmarkSettings) -> list[Case]:
    """Time frames pushed one after the other, each until its tracks and their codes are on the host."""
    predictor = make_predictor(config, settings)
    return [_measure_stream_at(size, predictor, settings) for size in settings.sizes or (FRAME_SIZE,)]


def measure_end_to_end(config: RunConfig, settings: BenchmarkSettings) -> list[Case]:
    """Time testing, from files on the disk to the result json, in passes over all videos."""
    cases = []
    for size in settings.sizes or (FRAME_SIZE,):
        with benchmark_data(config, settings, size) as (data, folder):
            cases.append(_measure_passes(data, folder, settings))
    return cases


def make_predictor(config: RunConfig, settings: BenchmarkSettings) -> VideoPredictor:
    """Wrap the model for testing.

    Without a checkpoint, or if asked to, it detects a fixed number of objects per frame.
    """
    if settings.checkpoint is None or settings.objects is not None:
        objects = OBJECTS if settings.objects is None else settings.objects
        fixed = {"score_threshold": NO_THRESHOLD, "max_per_image": objects}
        config = replace(config, model={**config.model, "postprocess": {**config.model["postprocess"], **fixed}})
    speed = {"cuda_graph": settings.cuda_graph, "compile": settings.compile}
    model = prepare_model(config, settings)
    return VideoPredictor.from_model(model, config, settings.device, settings.amp or "off", **speed)


def _measure_stream_at(size: Size, predictor: VideoPredictor, settings: BenchmarkSettings) -> Case:
    forget_peak_memory(settings.device)
    frames = cycle(list(synthetic_frames(DECODED, size)))
    stream = predictor.stream(size)

    def push(index: int) -> None:
        stream.push(next(frames))
        synchronize(settings.device)

    times = time_steps(push, settings, steps=STREAM_STEPS, warmup=STREAM_WARMUP)
    figures: dict[str, float | Spread] = {
        "latency_ms": Spread.from_values(times.host),
        "frames_per_second": MS / times.mean,
        **peak_memory(settings.device),
        **_describe_tracks([stream.finish()]),
    }
    profile_case(push, f"{size[0]}x{size[1]}", settings)
    name = f"stream of frames of {size[0]}x{size[1]}, one by one, amp {settings.amp or 'off'}"
    return Case(name=name, figures=figures, notes=_notes(settings))


def _measure_passes(config: RunConfig, folder: Path, settings: BenchmarkSettings) -> Case:
    forget_peak_memory(settings.device)
    predictor = make_predictor(config, settings)
    dataset = build_test_dataset(config.data.test, "config.data.test")
    frames = sum(len(video.file_names) for video in dataset.videos)
    results: list[VideoResult] = []

    def test(index: int) -> None:
        results[:] = predict_dataset(predictor, dataset, config.data.test)
        write_results(folder / "results.pkl", results_to_json(results, dataset.category_ids))

    times = time_steps(test, settings, steps=PASSES, warmup=1)
    figures: dict[str, float | Spread] = {
        "frames_per_second": Spread.from_values([MS * frames / passed for passed in times.host]),
        "pass_ms": Spread.from_values(times.host),
        "result_json_mib": (folder / "results.pkl.json").stat().st_size / 2**20,
        **peak_memory(settings.device),
        **_describe_tracks(results),
    }
    height, width = dataset.videos[0].size
    name = (
        f"files to result json, {len(dataset.videos)} videos, {frames} frames of {height}x{width}, "
        f"chunks of {config.data.test.chunk_size}, {config.data.test.workers} workers, amp {settings.amp or 'off'}"
    )
    return Case(name=name, figures=figures, notes=(describe_data(settings), *_notes(settings)))


def _describe_tracks(results: list[VideoResult]) -> dict[str, float | Spread]:
    """Return how much there was to track and to encode."""
    frames = sum(result.num_frames for result in results)
    codes = [code for result in results for tube in result.tubes for code in tube.segmentations if code is not None]
    return {
        "tracks": sum(len(result.tubes) for result in results),
        "objects_a_frame": len(codes) / frames,
        "code_characters_a_mask": sum(len(code["counts"]) for code in codes) / max(len(codes), 1),
    }


def _notes(settings: BenchmarkSettings) -> tuple[str, ...]:
    return () if settings.checkpoint else (_NOISE,)
