"""Find a config by its path or by its name, so that commands and programs may run in any folder."""

from __future__ import annotations

from pathlib import Path

from mmdet.errors import UserError, suggestion

_PACKAGE = Path(__file__).parents[1]
_INSTALLED, _OF_CHECKOUT = _PACKAGE / "configs", _PACKAGE.parent / "configs"  # a build copies the latter to the former
CONFIGS = _INSTALLED if _INSTALLED.is_dir() else _OF_CHECKOUT
PARTS = "_base_"  # the folder with what configs share


def find_config(config: str | Path) -> Path:
    """Return the file of a config: a path, or the name of a file of configs/, with or without its folder and `.py`.

    A Python file that exists comes first. Raises UserError if there is neither, with similar names.
    """
    path = Path(config)
    if path.suffix == ".py" and path.is_file():
        return path
    wanted = path.as_posix().removeprefix("configs/").removesuffix(".py")
    named = named_configs()
    found = [name for name in named if wanted in (name, name.rpartition("/")[2])]
    if len(found) == 1:
        return named[found[0]]
    raise UserError(f"config {config}{_fault(path, wanted, found, list(named))}")


def named_configs() -> dict[str, Path]:
    """Return the files of the configs that come along, by their names: `NAME` or `FOLDER/NAME`."""
    files = (file for file in sorted(CONFIGS.rglob("*.py")) if PARTS not in file.parts)
    return {file.relative_to(CONFIGS).with_suffix("").as_posix(): file for file in files}


def _fault(path: Path, wanted: str, found: list[str], names: list[str]) -> str:
    if path.is_file():
        return ": configs are Python files, NAME.py, as those of configs/"
    if path.is_dir():
        return " is a folder: give a .py file"
    if found:
        return f" is the name of several: {', '.join(found)}"
    if not names:
        return " does not exist: give a .py file"
    plain = list(dict.fromkeys(name.rpartition("/")[2] for name in names))
    return f" does not exist: give a .py file or a name; {suggestion(wanted.rpartition('/')[2], plain)}"
