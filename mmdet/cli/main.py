"""`memcnp COMMAND ...` and `python -m mmdet COMMAND ...`: choose a command of the table and run it."""

from __future__ import annotations

import sys

import mmdet
from mmdet.cli.commands import COMMANDS
from mmdet.engine.process.endings import run_command_line
from mmdet.errors import UserError, shown, suggestion

NAME = "memcnp"
HELP, VERSION = ("-h", "--help", "help"), ("-V", "--version")


def main() -> None:
    """Run the command that the first argument names, as if it were a program of its own; exit with its code."""
    sys.argv[0] = NAME  # error messages, usage and what is saved of a run name the command, not a path
    run_command_line(_run)


def _run() -> int | None:
    first = sys.argv[1] if len(sys.argv) > 1 else HELP[0]
    if first in HELP:
        print(overview())
        return 0
    if first in VERSION:
        print(f"{NAME} {mmdet.__version__}")
        return 0
    commands = {command.name: command for command in COMMANDS}
    command = commands.get(first.replace("_", "-"))
    if command is None:
        raise UserError(f"no command {shown(first)}; {suggestion(first, list(commands))} ({NAME} --help lists all)")
    sys.argv[:2] = [f"{NAME} {command.name}"]
    return command.load()()


def overview() -> str:
    """Return what `memcnp --help` prints: a line for each command."""
    width = max(len(command.name) for command in COMMANDS)
    lines = [f"  {command.name:<{width}}  {command.summary}" for command in COMMANDS]
    return "\n".join(
        [
            f"usage: {NAME} COMMAND [options]",
            "",
            "Video instance segmentation: find, segment and follow every object through a video.",
            "",
            "commands:",
            *lines,
            "",
            f"`{NAME} COMMAND --help` describes a command, `{NAME} --version` says which version this is.",
        ]
    )
