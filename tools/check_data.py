"""python tools/check_data.py: the same as `memcnp check-data`."""

from mmdet.cli.data.check_data import main
from mmdet.engine.process.endings import run_command_line

if __name__ == "__main__":
    run_command_line(main)
