"""python tools/measure_memory.py: the same as `memcnp measure-memory`."""

from mmdet.cli.measures.measure_memory import main
from mmdet.engine.process.endings import run_command_line

if __name__ == "__main__":
    run_command_line(main)
