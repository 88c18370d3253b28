"""python tools/make_demo_data.py: the same as `memcnp make-demo-data`."""

from mmdet.cli.data.make_demo_data import main
from mmdet.engine.process.endings import run_command_line

if __name__ == "__main__":
    run_command_line(main)
