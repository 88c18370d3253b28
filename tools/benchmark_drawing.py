"""Measure how fast objects are drawn and written as H.264, on made-up frames of moving natural texture.

python tools/benchmark_drawing.py [--size 1080 1920] [--objects 10] [--frames 120] [--repeats 3]
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmdet.config.ranges import Count
from mmdet.engine.process.arguments import CommandParser, within
from mmdet.engine.process.endings import run_command_line

if TYPE_CHECKING:
    from mmdet.structures import Size
    from mmdet.visualization.draw import DrawnObject, Picture

DIFFERENT = 24  # frames that are made up; a longer video repeats them
MOVE_PX = 5  # of the texture and the objects, per frame


def made_up(size: Size, count: int, moved: int) -> tuple[Picture, list[DrawnObject]]:
    """Return a frame of a texture, and `count` ellipses over it, moved by so many pixels."""
    import cv2

    from mmdet.visualization.draw import DrawnObject, track_color

    random, (height, width) = np.random.default_rng(0), size
    texture = np.zeros((height, width + DIFFERENT * MOVE_PX, 3), np.float32)
    for cells, share in ((6, 100), (24, 60), (96, 40), (384, 20)):
        coarse = random.random((cells, 2 * cells, 3), np.float32)
        texture += share * cv2.resize(coarse, texture.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    objects = []
    for index in range(count):
        center, axes = random.random(2) * (width, height) + (moved, 0), random.uniform(0.05, 0.15, 2) * height
        mask = np.zeros(size, np.uint8)
        cv2.ellipse(mask, center.astype(int).tolist(), axes.astype(int).tolist(), 0, 0, 360, 1, cv2.FILLED)
        name = f"{index} giant_panda 0.87"
        objects.append(DrawnObject(mask=mask.astype(bool), label_text=name, color=track_color(index)))
    return np.ascontiguousarray(texture[:, moved : moved + width].clip(0, 255).astype(np.uint8)), objects


def main() -> None:
    """Measure and print."""
    parser = CommandParser(description=str(__doc__))
    parser.add_argument("--size", type=within(Count), nargs=2, default=(1080, 1920), metavar=("HEIGHT", "WIDTH"))
    for name, default in (("objects", 10), ("frames", 120), ("repeats", 3)):
        parser.add_argument(f"--{name}", type=within(Count), default=default, help="default: %(default)s")
    args = parser.parse_args()
    from mmdet.visualization.draw import draw_objects
    from mmdet.visualization.mp4 import open_mp4

    size = (args.size[0], args.size[1])
    scenes = [made_up(size, args.objects, MOVE_PX * index) for index in range(DIFFERENT)]
    drawn = [draw_objects(*scene) for scene in scenes]

    def write(picture: Callable[[int], Picture]) -> None:
        with tempfile.TemporaryDirectory() as folder, open_mp4(Path(folder) / "drawn.mp4", size, 30) as append:
            for index in range(args.frames):
                append(picture(index % DIFFERENT))

    works: dict[str, Callable[[], object]] = {
        "drawing": lambda: [draw_objects(*scenes[index % DIFFERENT]).shape for index in range(args.frames)],
        "writing": lambda: write(drawn.__getitem__),
        "both": lambda: write(lambda index: draw_objects(*scenes[index])),
    }
    print(f"{size[1]}x{size[0]}, {args.objects} objects, {args.frames} frames, median of {args.repeats}")
    for name, work in works.items():
        walls, processor = [], []
        for _ in range(args.repeats):
            start, used = time.perf_counter(), time.process_time()
            work()
            walls.append(time.perf_counter() - start)
            processor.append(time.process_time() - used)
        rate, cpu_ms = args.frames / statistics.median(walls), 1000 * statistics.median(processor) / args.frames
        print(f"{name:8} {rate:6.1f} frames/s, {cpu_ms:5.1f} ms of processor time per frame")


if __name__ == "__main__":
    run_command_line(main)
