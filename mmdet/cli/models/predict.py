"""Track the objects of your own videos: %(prog)s CONFIG CHECKPOINT SOURCE... --out DIR [options].

A SOURCE is a video, a folder of images or of videos, a pattern in quotes, an image, a list of sources (.txt), the
number of a camera, or an RTSP, RTMP or HTTP address. Writes DIR/NAME.mp4 and DIR/NAME.json for each, and what --save
names. Ctrl-C keeps what is done. docs/predict.md describes everything.
"""

from __future__ import annotations

from dataclasses import replace

from mmdet.config import find_config
from mmdet.engine.inference.predicting.predict_arguments import parse_options


def main() -> None:
    """Predict, draw and write."""
    options = parse_options(__doc__)
    options = replace(options, config=str(find_config(options.config)))
    from mmdet.engine.inference.predicting.run import predict  # it imports torch, which --help does not need

    predict(options)
