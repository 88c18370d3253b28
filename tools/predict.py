"""python tools/predict.py: the same as `memcnp predict`."""

from mmdet.cli.models.predict import main
from mmdet.engine.process.endings import run_command_line

if __name__ == "__main__":
    run_command_line(main)
