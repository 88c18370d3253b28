"""python tools/extract_frames.py: the same as `memcnp extract-frames`."""

from mmdet.cli.data.extract_frames import main
from mmdet.engine.process.endings import run_command_line

if __name__ == "__main__":
    run_command_line(main)
