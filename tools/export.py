"""python tools/export.py: the same as `memcnp export`."""

from mmdet.cli.models.export import main
from mmdet.engine.process.endings import run_command_line

if __name__ == "__main__":
    run_command_line(main)
