"""The command lines as modules, by the names of their scripts."""

import importlib
import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def program_file(name):
    """Return the file with the code of a script, given without `.py`: that of its command, or its own."""
    commands = list((ROOT / "mmdet" / "cli").rglob(f"{Path(name).name}.py"))
    return commands[0] if commands else ROOT / f"{name}.py"


def load_program(name):
    """Import the code of a script, given without `.py`: its command, or anew the script that is none."""
    path = program_file(name)
    if path.is_relative_to(ROOT / "mmdet"):
        return importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    spec = importlib.util.spec_from_file_location(f"program_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
