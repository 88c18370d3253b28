"""Read a list of categories that a user wrote: a text with a name per line, or a json of names or of categories."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmdet.errors import UserError
from mmdet.fileio.annotations.json_fields import checked_text, read_json, shown_json
from mmdet.fileio.annotations.vis_json import Category, parse_categories

_EXPECTED = 'a name per line in a .txt, or a json: ["cat", "dog"], or any annotation file with categories'


def read_category_list(path: str | Path) -> list[Category]:
    """Return the categories of a file, with ids 1, 2, ... where it gives none.

    Raises UserError that names the file for one without names, with a name twice, or of another kind.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"categories {path}: there is no such file; expected {_EXPECTED}")
    categories = _of_json(path) if path.suffix.lower() == ".json" else _of_text(path)
    if not categories:
        raise UserError(f"categories {path}: no name in it; expected {_EXPECTED}")
    names = [category.name for category in categories]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserError(f"categories {path}: {twice!r} occurs twice; give every class a name of its own")
    return categories


def _of_text(path: Path) -> list[Category]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"categories {path} cannot be read as text: {error}; expected {_EXPECTED}") from error
    names = [name for line in lines if (name := line.strip()) and not name.startswith("#")]
    return [Category(number, name) for number, name in enumerate(names, start=1)]


def _of_json(path: Path) -> list[Category]:
    raw = read_json(path)
    entries: Any = raw.get("categories") if isinstance(raw, dict) else raw
    if not isinstance(entries, list):
        raise UserError(f"categories {path}: {shown_json(raw)}; expected {_EXPECTED}")
    if all(isinstance(entry, dict) for entry in entries):
        return parse_categories({"categories": entries}, path)
    names = [checked_text(name, f"{path}: entry {index}") for index, name in enumerate(entries)]
    return [Category(number, name) for number, name in enumerate(names, start=1)]
