"""python tools/browse_dataset.py: the same as `memcnp browse`."""

from mmdet.cli.data.browse_dataset import main
from mmdet.engine.process.endings import run_command_line

if __name__ == "__main__":
    run_command_line(main)
