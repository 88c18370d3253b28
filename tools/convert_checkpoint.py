"""python tools/convert_checkpoint.py: the same as `memcnp convert-checkpoint`."""

from mmdet.cli.models.convert_checkpoint import main
from mmdet.engine.process.endings import run_command_line

if __name__ == "__main__":
    run_command_line(main)
