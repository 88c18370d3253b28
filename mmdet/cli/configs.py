"""List the configs that come along, or copy one to start your own from.

    %(prog)s                     # all: what they are, and what they reached
    %(prog)s NAME                # one: its file and all that it says of itself
    %(prog)s NAME --copy DIR     # write it and the files that it builds on into a folder

Wherever a command takes a CONFIG, a name of this list will do.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from mmdet.config.names import CONFIGS, find_config, named_configs
from mmdet.engine.process.arguments import CommandParser
from mmdet.errors import UserError

_RESULT = re.compile(r"^Result +(.*(?:\n +.*)*)", re.MULTILINE)


def main() -> None:
    """List, describe or copy."""
    parser = CommandParser(description=__doc__)
    parser.add_argument("name", nargs="?", metavar="NAME", help="a config of the list, or any config file")
    parser.add_option("copy", type=Path, metavar="DIR", help="copy NAME and the files that it builds on into DIR")
    args = parser.parse_args()
    if args.name is None:
        if args.copy:
            parser.error("--copy needs the NAME of a config")
        print("\n\n".join(_entry(name, path) for name, path in named_configs().items()))
        return
    config = find_config(args.name)
    if args.copy:
        _copy(config, args.copy)
    else:
        print(f"{config}\n\n{_docstring(config)}")


def _entry(name: str, path: Path) -> str:
    """Return a config's name, the first line of its docstring, and what it reached."""
    text = _docstring(path)
    result = _RESULT.search(text)
    reached = " ".join(result[1].split()) if result else "says nothing of results"
    return f"{name}\n    {text.partition(chr(10))[0]}\n    {reached}"


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def _copy(config: Path, folder: Path) -> None:
    """Copy a config and its bases, laid out to each other as they are, and print the copies.

    Raises UserError if one of the files is there already.
    """
    from mmdet.config.source_files import source_files
    from mmdet.fileio.atomic import write_text_atomically

    files = [file.path.resolve() for file in source_files(config)] or [config.resolve()]
    root = CONFIGS.resolve()
    if not all(file.is_relative_to(root) for file in files):
        raise UserError(f"config {config} is not of configs/: copy your own as you like")
    copies = {file: folder / file.relative_to(root) for file in files}
    present = [str(copy) for copy in copies.values() if copy.exists()]
    if present:
        raise UserError(f"--copy {folder}: {', '.join(present)} exist already; name another folder")
    for file, copy in copies.items():
        copy.parent.mkdir(parents=True, exist_ok=True)
        write_text_atomically(copy, file.read_text(encoding="utf-8"))
    own, *bases = copies.values()
    print(f"{own}: yours to change" + (f"; it builds on {', '.join(map(str, bases))}" if bases else ""))
