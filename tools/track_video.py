"""Track the objects of your own video: python tools/track_video.py CONFIG CHECKPOINT VIDEO --out FOLDER [--thresh 0.3].

VIDEO is a video file, a folder of images, or an image. Writes FOLDER/NAME.mp4, with the times of the video, and
FOLDER/NAME.json: its size, rate and times, and the tracks, run-length encoded, labels 0-based. If Ctrl-C or a signal
stops it, it writes the frames so far.
"""

from __future__ import annotations

from pathlib import Path

from mmdet.config import AMP_NAMES, check_config_file
from mmdet.engine.process.arguments import CommandParser
from mmdet.engine.process.endings import run_command_line


def main() -> None:
    """Track, draw and write."""
    parser = CommandParser(description=__doc__)
    parser.add_argument("config")
    parser.add_argument("checkpoint")
    parser.add_argument("source", metavar="VIDEO", type=Path, help="a video file or a folder of images")
    parser.add_option("out", type=Path, default=Path("tracked"), metavar="FOLDER", help="default: tracked")
    parser.add_option("thresh", type=float, default=0.3, help="draw objects with at least this score (default: 0.3)")
    parser.add_option("fps", type=float, help="frames per second of the mp4 (default: the times of the video; 25)")
    parser.add_option("device", help="cpu, cuda, or the number of a GPU (default: the first GPU if there is one)")
    parser.add_option("amp", choices=AMP_NAMES, default="off", help="precision on GPUs (default: off, float32)")
    parser.add_switch("cuda_graph", "on a GPU launch each frame at once: less waiting, same results")
    parser.add_switch("resize_to_first", "give frames of other sizes that of the first one")
    parser.add_switch("trust_checkpoint", "load any object from the checkpoint: only if you know where it comes from")
    args = parser.parse_args()
    check_config_file(args.config)
    from mmdet.engine.inference.source_tracking import (  # it imports torch, which --help does not need
        TrackOptions,
        track_source,
    )

    settings = vars(args)
    print(track_source(TrackOptions(threshold=settings.pop("thresh"), **settings)))


if __name__ == "__main__":
    run_command_line(main)
