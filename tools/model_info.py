"""python tools/model_info.py: the same as `memcnp model-info`."""

from mmdet.cli.measures.model_info import main
from mmdet.engine.process.endings import run_command_line

if __name__ == "__main__":
    run_command_line(main)
