"""python train.py: the same as `memcnp train`."""

from mmdet.cli.models.train import main
from mmdet.engine.process.endings import run_command_line

if __name__ == "__main__":
    run_command_line(main)
