"""Write a model for use without this package: %(prog)s CONFIG CHECKPOINT --size H W --format onnx.

The file holds the network and its post-processing: uint8 frames go in, a fixed number of detections comes out, with
masks (--masks) or what they are drawn from. Class names, sizes, transforms and the tracker's settings lie in it too.
docs/export.md describes inputs and outputs; docs/examples/onnx_stream.py tracks a video with such a file.
"""

from __future__ import annotations

from dataclasses import replace

from mmdet.config import find_config
from mmdet.engine.exporting.options import parse_options


def main() -> None:
    """Export, compare and report."""
    options = parse_options(__doc__)
    options = replace(options, config=str(find_config(options.config)))
    from mmdet.engine.exporting.run import export  # it imports torch, which --help does not need

    export(options, print)
