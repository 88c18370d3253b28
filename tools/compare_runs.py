"""python tools/compare_runs.py: the same as `memcnp compare-runs`."""

from mmdet.cli.results.compare_runs import main
from mmdet.engine.process.endings import run_command_line

if __name__ == "__main__":
    run_command_line(main)
