"""python tools/make_split.py: the same as `memcnp split`."""

from mmdet.cli.data.make_split import main
from mmdet.engine.process.endings import run_command_line

if __name__ == "__main__":
    run_command_line(main)
