"""Command-line options in all common spellings: `--work_dir` or `--work-dir`, `--flag` or `--flag True`.

Every command line of the project uses this parser. It imports nothing heavy.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

from mmdet.errors import shown

LAUNCHERS = ("none", "pytorch", "slurm")
TRUE, FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


class CommandParser(argparse.ArgumentParser):
    """An argparse parser whose options take dashes and underscores alike and whose switches may have a value.

    Options cannot be abbreviated: a misspelt option is always an error.
    """

    def __init__(self, description: str | None) -> None:
        super().__init__(
            prog=Path(sys.argv[0]).name,  # `memcnp train` of the command, else the script
            description=description,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self._switches: set[str] = set()

    def add_argument(self, *names: str, **settings: Any) -> argparse.Action:  # type: ignore[override]
        """Add an argument as argparse does: an option gets both spellings, `store_true` makes a switch."""
        if not names[0].startswith("--"):
            return super().add_argument(*names, **settings)
        if settings.get("action") == "store_true":
            self._switches.update(_spellings(names[0]))
            value: dict[str, Any] = {"type": _boolean, "nargs": "?", "const": True, "default": False}
            settings = {**settings, **value, "action": "store", "metavar": "True|False"}
        return super().add_argument(*_spellings(names[0]), **settings)

    def add_option(self, name: str, **settings: Any) -> None:
        """Add option `name` (written with underscores); `settings` are those of argparse's add_argument."""
        self.add_argument(f"--{name}", dest=name, **settings)

    def add_switch(self, name: str, description: str) -> None:
        """Add a boolean option, False by default.

        `--name` alone means True; `--name True` and `--name False` work too.
        """
        self.add_argument(f"--{name}", dest=name, action="store_true", help=description)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as argparse does, after giving switches without a value their value."""
        return super().parse_known_args(self._with_values(sys.argv[1:] if args is None else args), namespace)

    def _with_values(self, args: Sequence[str]) -> list[str]:
        """Write every switch as `--switch=value`, so that one without a value does not swallow the next argument."""
        out: list[str] = []
        for arg in args:
            if out and out[-1] in self._switches:
                if arg.lower() in TRUE + FALSE:
                    out[-1] += f"={arg}"
                    continue
                out[-1] += "=true"
            out.append(arg)
        if out and out[-1] in self._switches:
            out[-1] += "=true"
        return out


def _spellings(name: str) -> list[str]:
    words = name.removeprefix("--").replace("-", "_")
    return list(dict.fromkeys((f"--{words.replace('_', '-')}", f"--{words}")))


def _boolean(text: str) -> bool:
    if text.lower() not in TRUE + FALSE:
        raise argparse.ArgumentTypeError(f"expected True or False, got {text!r}")
    return text.lower() in TRUE


def within(hint: Any) -> Callable[[str], Any]:
    """Return the `type` of an option whose value is a number in a range: `type=within(Count)`; see config.ranges."""
    kind, allowed = get_args(hint)

    def number(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"expected {kind.__name__}, got {shown(text)}") from error
        if value not in allowed:
            raise argparse.ArgumentTypeError(f"{shown(value)}, expected {allowed}")
        return value

    return number
