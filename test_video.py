"""python test_video.py: the same as `memcnp test`."""

from mmdet.cli.models.test_video import main
from mmdet.engine.process.endings import run_command_line

if __name__ == "__main__":
    run_command_line(main)
