"""Shell scripts keep step with the package."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
IMPORT = re.compile(r"from (mmdet[\w.]*) import (\w+)")
IMPORTS = sorted(
    {
        (path.name, *found)
        for path in (*ROOT.glob("*.sh"), *ROOT.glob("tools/*.sh"))
        for found in IMPORT.findall(path.read_text())
    }
)


@pytest.mark.parametrize(("script", "module", "name"), IMPORTS)
def test_what_a_shell_script_imports_is_there(script, module, name):
    found = importlib.import_module(module)
    assert hasattr(found, name) or importlib.util.find_spec(f"{module}.{name}")
