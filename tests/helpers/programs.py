"""The command lines as modules: train.py, test_video.py and the tools, which no package holds."""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def load_program(name):
    """Import a program anew by its path from the checkout without `.py`: train, tools/check_data."""
    spec = importlib.util.spec_from_file_location(f"program_{Path(name).name}", ROOT / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
