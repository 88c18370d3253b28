"""python tools/submission.py: the same as `memcnp submission`."""

from mmdet.cli.results.submission import main
from mmdet.engine.process.endings import run_command_line

if __name__ == "__main__":
    run_command_line(main)
