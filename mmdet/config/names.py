"""Find a config by its name, so that a program or a notebook may run in any folder."""

from __future__ import annotations

from pathlib import Path

from mmdet.errors import UserError, shown, suggestion

CONFIGS = Path(__file__).parents[2] / "configs"  # of the checkout; an installed copy has none


def find_config(config: str | Path) -> Path:
    """Return the file of a config: a path, or the name of a file of configs/, with or without its folder and `.py`.

    A path that exists comes first. Raises UserError that lists similar names if there is neither.
    """
    path = Path(config)
    if path.exists():
        return path
    wanted = path.as_posix().removeprefix("configs/").removesuffix(".py")
    found = [file for names, file in _named() if wanted in names]
    if len(found) == 1:
        return found[0]
    names = [file.stem for _, file in _named()]
    where = f"it is neither a file nor one name in configs/; {suggestion(wanted, names)}" if names else "no such file"
    raise UserError(f"config {shown(str(config))}: {where}")


def _named() -> list[tuple[tuple[str, str], Path]]:
    """Return the configs with their names: the plain one, and the one with its folder. Parts of configs have none."""
    files = (file for file in sorted(CONFIGS.rglob("*.py")) if "_base_" not in file.parts)
    return [((file.stem, file.relative_to(CONFIGS).with_suffix("").as_posix()), file) for file in files]
