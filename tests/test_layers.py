"""Data flows one way: a module imports only what stands above it."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mmdet"
BASE = {"config", "errors", "registry", "structures", "ops", "fileio"}
MAY_IMPORT = {
    "errors": set(),
    "registry": set(),
    "config": {"errors", "registry", "config"},
    "structures": {"errors", "structures", "ops"},
    "ops": {"errors", "ops", "structures"},
    "fileio": {"errors", "structures", "ops", "fileio"},
    "datasets": BASE | {"datasets"},
    "models": BASE | {"models"},
    "tracking": BASE | {"tracking"},
    "evaluation": BASE | {"evaluation"},
    "visualization": BASE | {"visualization"},
    "engine": BASE | {"datasets", "models", "tracking", "evaluation", "visualization", "engine"},
}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.name != "__init__.py")


def layer(path):
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported_layers(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "mmdet":
            names = [f"mmdet.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        yield from (name.split(".")[1] for name in names if name.startswith("mmdet."))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_what_stands_above_it(path):
    below = set(imported_layers(path)) - MAY_IMPORT[layer(path)]
    assert not below, f"{path} imports {sorted(below)}"


def test_the_readme_names_every_file():
    readme = (PACKAGE.parent / "README.md").read_text()
    missing = [path.name for path in FILES if path.name != "__init__.py" and path.name not in readme]
    assert not missing


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_is_longer_than_a_reader_likes(path):
    assert len(path.read_text().splitlines()) <= 300


def test_no_function_is_longer_than_a_screen():
    long = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno + 1 > 70:
                long.append(f"{path.name}:{node.name}")
    assert not long
