"""Data flows one way: a room of the package imports only what stands in a row above its own."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mmdet"
ROWS = (
    {"errors", "registry", "structures"},
    {"ops", "config"},
    {"fileio", "models", "tracking"},
    {"datasets", "evaluation", "visualization"},
    {"engine"},
    {"benchmark", "parity", "report"},
    {"cli"},
    {"__main__"},
)
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.name != "__init__.py")
ROOMS = sorted({path.parent for path in FILES} - {PACKAGE})
MOST_FILES = 12  # of a room, its __init__.py not counted


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def above(room):
    row = next(index for index, rooms in enumerate(ROWS) if room in rooms)
    return set().union({room}, *ROWS[:row])


def imported_rooms(path):
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
    below = set(imported_rooms(path)) - above(room_of(path))
    assert not below, f"{path} imports {sorted(below)}"


def test_every_room_has_a_line_in_the_docs_and_a_first_sentence():
    lines = (PACKAGE.parent / "docs" / "architecture.md").read_text().splitlines()
    rooms = {line.split("`")[1] for line in lines if line.startswith("| `mmdet/")}
    assert rooms == {str(room.relative_to(PACKAGE.parent)) for room in ROOMS}
    assert all(ast.get_docstring(ast.parse((room / "__init__.py").read_text())) for room in ROOMS)


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(PACKAGE)))
def test_a_room_is_no_lumber_room(room):
    assert len([path for path in room.glob("*.py") if path.name != "__init__.py"]) <= MOST_FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_is_longer_than_a_reader_likes(path):
    assert len(path.read_text().splitlines()) <= 300


def test_no_function_is_longer_than_a_screen():
    long = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno + 1 > 50:
                long.append(f"{path.name}:{node.name}")
    assert not long
