"""python tools/report.py: the same as `memcnp report`."""

from mmdet.cli.results.report import main
from mmdet.engine.process.endings import run_command_line

if __name__ == "__main__":
    run_command_line(main)
