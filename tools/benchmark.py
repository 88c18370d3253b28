"""python tools/benchmark.py: the same as `memcnp benchmark`."""

from mmdet.cli.measures.benchmark import main
from mmdet.engine.process.endings import run_command_line

if __name__ == "__main__":
    run_command_line(main)
