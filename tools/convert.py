"""python tools/convert.py: the same as `memcnp convert`."""

from mmdet.cli.data.convert import main
from mmdet.engine.process.endings import run_command_line

if __name__ == "__main__":
    run_command_line(main)
