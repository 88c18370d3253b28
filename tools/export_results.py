"""python tools/export_results.py: the same as `memcnp export-results`."""

from mmdet.cli.results.export_results import main
from mmdet.engine.process.endings import run_command_line

if __name__ == "__main__":
    run_command_line(main)
