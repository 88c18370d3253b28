"""python tools/eval_results.py: the same as `memcnp eval`."""

from mmdet.cli.results.eval_results import main
from mmdet.engine.process.endings import run_command_line

if __name__ == "__main__":
    run_command_line(main)
