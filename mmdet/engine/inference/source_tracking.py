"""Track the objects of a video file or a folder of images and write NAME.mp4 and NAME.json.

All checks come before the work starts. If a signal, an unreadable frame or a fault of the machine ends the work early,
the frames so far are written.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from pathlib import Path
from signal import Signals

import cv2
import numpy as np
from tqdm import tqdm

from mmdet.config import load_config
from mmdet.engine.inference.predictor import VideoPredictor
from mmdet.engine.inference.stream import VideoStream
from mmdet.engine.inference.tracked_files import TrackedFiles, TrackedVideo, check_folder, choose_files
from mmdet.engine.process.devices import chosen_device, limit_threads
from mmdet.engine.process.endings import SIGNAL_CODE_BASE, RunEnded
from mmdet.engine.process.faults import known_fault
from mmdet.engine.process.signals import StopSignals
from mmdet.errors import UserError
from mmdet.fileio.pictures.video import TimedFrame
from mmdet.fileio.sources.frame_source import FrameSource, open_source
from mmdet.structures import Size
from mmdet.visualization.draw import draw_objects
from mmdet.visualization.mp4 import open_mp4
from mmdet.visualization.objects import objects_of_tracks

_FASTEST_FPS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackOptions:
    """What to track, with which model, and where to write it."""

    config: str
    checkpoint: str
    source: Path
    out: Path
    threshold: float = 0.3
    fps: float | None = None  # None: the source's own times
    device: str | None = None
    amp: str = "off"
    cuda_graph: bool = False
    resize_to_first: bool = False
    trust_checkpoint: bool = False


@dataclass(slots=True)
class _Progress:
    """How far the work has come."""

    times_s: list[float] = field(default_factory=list)
    at_end: bool = False


def track_source(options: TrackOptions) -> str:
    """Track, draw and write; return the line that says what was written.

    Raises UserError before the work starts, and RunEnded if it ended early; the frames so far are then written.
    """
    _check(options)
    device = chosen_device(options.device)
    limit_threads(device)
    source = open_source(options.source, one_size=not options.resize_to_first)
    files = choose_files(options.out, options.source)
    for note in source.notes:
        _say(note)
    frames = iter(source)
    first = next(frames)
    predictor = VideoPredictor.from_checkpoint(
        load_config(options.config),
        options.checkpoint,
        device,
        options.amp,
        options.trust_checkpoint,
        cuda_graph=options.cuda_graph,
    )
    stream = predictor.stream((first.image.shape[0], first.image.shape[1]))
    options.out.mkdir(parents=True, exist_ok=True)
    progress, stop = _Progress(), StopSignals()
    try:
        with stop:
            _track(chain([first], frames), source, stream, predictor.class_names, files, options, progress, stop)
    except (UserError, OSError) as error:
        if not progress.times_s:
            raise
        raise RunEnded(f"{known_fault(error) or error}; {_kept(files, progress)}") from error
    finally:
        files.discard()
    if not progress.at_end:
        name = Signals(stop.received).name
        raise RunEnded(f"stopped by {name}; {_kept(files, progress)}", SIGNAL_CODE_BASE + stop.received)
    if source.loss:
        _say(f"warning: {source.loss}")
    return f"{len(progress.times_s)} frames: {files.mp4} and {files.json.name}"


def _check(options: TrackOptions) -> None:
    if not 0 <= options.threshold <= 1:
        raise UserError(f"--thresh {options.threshold:g}: scores lie between 0 and 1")
    if options.fps is not None and not 0 < options.fps <= _FASTEST_FPS:  # also refuses NaN
        raise UserError(f"--fps {options.fps:g}: expected frames per second above 0, at most {_FASTEST_FPS}")
    check_folder(options.out)


def _track(
    frames: Iterator[TimedFrame],
    source: FrameSource,
    stream: VideoStream,
    names: Sequence[str],
    files: TrackedFiles,
    options: TrackOptions,
    progress: _Progress,
    stop: StopSignals,
) -> None:
    """Track until the end or a stop signal.

    `frames` come from `source` and go through `stream`; `names` are the classes by label; `options` say how to draw.
    `progress` counts the frames, and `stop` says when to end. Whatever ends the loop, `files` are written if there is
    at least one frame.
    """
    rate = Fraction(options.fps).limit_denominator(1001) if options.fps else source.rate
    try:
        with open_mp4(files.unfinished, stream.size, rate) as append:
            for frame in tqdm(frames, total=source.promised, unit="frame", disable=None):
                image = _fitted(frame, stream.size, options.resize_to_first)
                picture = draw_objects(image, objects_of_tracks(stream.push(image).objects, names, options.threshold))
                time_s = float(len(progress.times_s) / rate) if options.fps else frame.time_s
                append(picture, time_s)
                progress.times_s.append(time_s)
                if stop.received:
                    return
        progress.at_end = True
    except OSError:
        files.discard()  # an mp4 that could not be written to its end has no index, and its room is the json's now
        raise
    finally:
        if progress.times_s:
            video = TrackedVideo(
                source=options.source,
                size=stream.size,
                rate=float(rate),
                times_s=progress.times_s,
                promised=source.promised,
                complete=progress.at_end and not source.loss,
            )
            files.finish(video, stream.finish(), names)


def _fitted(frame: TimedFrame, size: Size, resize: bool) -> np.ndarray:
    """Return the image at the video's size; resize it only if the user asked for that."""
    height, width = frame.image.shape[:2]
    if (height, width) == size:
        return frame.image
    if not resize:
        raise UserError(
            f"{frame.name} is {width}x{height}, the first frame {size[1]}x{size[0]}: give all the same size, or use "
            "--resize-to-first"
        )
    interpolation = cv2.INTER_AREA if height * width > size[0] * size[1] else cv2.INTER_LINEAR
    return cv2.resize(frame.image, (size[1], size[0]), interpolation=interpolation)


def _kept(files: TrackedFiles, progress: _Progress) -> str:
    count = len(progress.times_s)
    if not files.written:
        return f"nothing of its {count} frames could be written"
    names = files.mp4.parent / " and ".join(files.written)
    return f"{names} hold{'s' if len(files.written) == 1 else ''} the first {count} frames"


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
