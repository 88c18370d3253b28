"""Track the objects of your own videos: python tools/predict.py CONFIG CHECKPOINT SOURCE... --out DIR [options].

A SOURCE is a video, a folder of images or of videos, a pattern in quotes, an image, a list of sources (.txt), the
number of a camera, or an RTSP, RTMP or HTTP address. Writes DIR/NAME.mp4 and DIR/NAME.json for each, and what --save
names. Ctrl-C keeps what is done. docs/predict.md describes everything.
"""

from __future__ import annotations

from mmdet.config import check_config_file
from mmdet.engine.inference.predicting.predict_arguments import parse_options
from mmdet.engine.process.endings import run_command_line


def main() -> None:
    """Predict, draw and write."""
    options = parse_options(__doc__)
    check_config_file(options.config)
    from mmdet.engine.inference.predicting.run import predict  # it imports torch, which --help does not need

    predict(options)


if __name__ == "__main__":
    run_command_line(main)
