"""The work dir of a run: create, check and lock it before work starts, and store what is needed to repeat the run.

It gets the resolved config and environment.json (command, git revision, versions). Files that no run wrote are not
overwritten, and links are not written through.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mmdet.config import RunConfig
from mmdet.engine.checkpoints.index import BEST, INDEX, is_checkpoint_name, numbered_checkpoints
from mmdet.engine.process.endings import RunEnded
from mmdet.engine.training.logs.sinks import RUN_IDS, TENSORBOARD
from mmdet.engine.training.run_about import Environment, RunAbout
from mmdet.errors import UserError, shown
from mmdet.fileio.atomic import set_aside, write_text_atomically
from mmdet.fileio.locks import lock_file
from mmdet.fileio.overwriting import check_output_folder, refuse_overwriting

CONFIG, CONFIG_HEADER = "resolved_config.py", "# Written by train.py: the config of this run with all of its values.\n"
ENVIRONMENT, LOCK = "environment.json", ".lock"
LOGS = ("train.log", "train.jsonl", RUN_IDS, TENSORBOARD)
OTHER_DIR = "choose another by --work_dir"
_OPEN_LOCK = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)  # Windows has no such flag


@contextmanager
def held_work_dir(folder: Path) -> Iterator[None]:
    """Create `folder` if it is missing, and lock it against other runs inside of this context.

    The system releases the lock when the process ends in any way. If a run is refused before it writes anything,
    folders made for it are removed. Raises UserError if another run uses the folder, or if it cannot be a work dir. A
    file system without locks is used without one.
    """
    check_output_folder(folder, "--work_dir")
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    handle = _open_lock(folder)
    try:
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} on {socket.gethostname()}".encode())
        with _quiet_tensorboard():
            yield
    except FileNotFoundError as error:
        if (folder / LOCK).exists():
            raise
        raise RunEnded(f"work dir {folder} was removed while the run wrote to it: start again") from error
    finally:
        _remove_unused(folder, missing)
        os.close(handle)


def _open_lock(folder: Path) -> int:
    """Create the folder and return its locked lock file."""
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(folder / LOCK, _OPEN_LOCK, 0o666)
        except OSError as error:
            raise _unwritable(folder, error) from error
        try:
            # a lock of this process only: data workers, which outlive a killed process for seconds, do not keep it
            _lock(handle, folder)
        except UserError:
            os.close(handle)
            raise
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), os.stat(folder / LOCK)):
                return handle
        os.close(handle)  # a refused run has removed the file since it was opened here


def _remove_unused(folder: Path, made: Iterable[Path]) -> None:
    """Remove the lock, and the folders made for it if they are empty."""
    with suppress(OSError):
        if [path.name for path in folder.iterdir()] == [LOCK]:
            (folder / LOCK).unlink()
            for path in made:
                path.rmdir()


@contextmanager
def _quiet_tensorboard() -> Iterator[None]:
    """Suppress the traceback of TensorBoard's thread if it cannot write: the run raises the same error."""
    previous = threading.excepthook

    def say(end: threading.ExceptHookArgs) -> None:
        if not (issubclass(end.exc_type, OSError) and type(end.thread).__module__.startswith("tensorboard.")):
            previous(end)

    threading.excepthook = say
    try:
        yield
    finally:
        threading.excepthook = previous


def _lock(handle: int, folder: Path) -> None:
    try:
        lock_file(handle, wait=False)
    except (BlockingIOError, PermissionError) as error:
        owner = os.read(handle, 200).decode(errors="replace")
        raise UserError(
            f"work dir {folder} is in use by another run ({shown(owner)}): wait for its end, or {OTHER_DIR}"
        ) from error
    except OSError:
        return


def check_work_dir(folder: Path, inputs: Iterable[str | Path | None], new_run: bool) -> None:
    """Raise UserError if a run in `folder` would overwrite one of its `inputs` or a file that no run wrote."""
    sources = [Path(path) for path in inputs if path is not None]
    for path in sources:
        places = (path.absolute(), path.resolve())  # the path itself, and the target of a link
        if any(place.parent.resolve() == folder.resolve() and _is_written(place.name) for place in places):
            raise UserError(f"{path} is in the work dir {folder} and this run would overwrite it: {OTHER_DIR}")
    refuse_overwriting([folder / name for name in (BEST, *LOGS)], sources)
    for name in LOGS:
        if (folder / name).is_symlink():
            raise UserError(f"{folder / name} is a link, which a run does not follow: remove it, or {OTHER_DIR}")
        if (folder / name).exists() and (folder / name).is_dir() != (name == TENSORBOARD):
            kind = "folder" if name == TENSORBOARD else "file"
            raise UserError(f"{folder / name} is no {kind}, as a run needs: remove it, or {OTHER_DIR}")
    if new_run and not any((folder / name).exists() for name in (INDEX, ENVIRONMENT, "train.log")):
        foreign = numbered_checkpoints(folder)
        if foreign:
            raise UserError(f"{foreign[0]} is not of a run in this folder and could be written over: {OTHER_DIR}")


def _is_written(name: str) -> bool:
    return name in (ENVIRONMENT, INDEX, BEST, LOCK, *LOGS) or is_checkpoint_name(name)


def files_of(config: RunConfig) -> Iterator[Path]:
    """Yield the files that a config names, such as annotations and weights."""
    values: list[Any] = [config.source.to_dict()]
    while values:
        value = values.pop()
        if isinstance(value, dict | list | tuple):
            values += value.values() if isinstance(value, dict) else value
        elif isinstance(value, str) and "\0" not in value and os.path.isfile(value):
            yield Path(value)


def prepare_work_dir(folder: Path, config: RunConfig, about: RunAbout) -> None:
    """Write the config and the environment of a run into `folder`.

    Creates the folder if it is missing. Raises UserError if it cannot be created or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        _write_config(folder / CONFIG, about.config, Path(config.source.filename))
        _write_environment(folder / ENVIRONMENT, about.environment)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> UserError:
    return UserError(f"work dir {folder} cannot be written: {error}; {OTHER_DIR}")


def _write_config(path: Path, text: str, source: Path) -> None:
    """Write the resolved config. A file of this name that no run wrote is renamed first."""
    whole = CONFIG_HEADER + text
    with suppress(OSError, ValueError):
        before = path.read_text(encoding="utf-8")
        if before == whole:
            return  # it may be the config that this run was started with
        refuse_overwriting([path], [source])
        if not before.startswith(CONFIG_HEADER):
            set_aside(path)
    write_text_atomically(path, whole)


def _write_environment(path: Path, environment: Environment) -> None:
    """Write the environment of this start; `earlier` keeps those of the starts before.

    A file of this name that is damaged, or that no run wrote, is renamed first.
    """
    earlier: list[dict[str, Any]] = []
    if os.path.lexists(path):
        last = _read_environment(path)
        if last is None:
            set_aside(path)
        else:
            earlier = [*last.pop("earlier", []), last]
    text = json.dumps({**environment.to_plain(), **({"earlier": earlier} if earlier else {})}, indent=2) + "\n"
    write_text_atomically(path, text)


def _read_environment(path: Path) -> dict[str, Any] | None:
    """Return what an earlier start wrote, None if the file holds anything else."""
    try:
        last = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(last, dict) or not {"command", "versions"} <= last.keys():
        return None
    starts = last.get("earlier", [])
    return last if isinstance(starts, list) and all(isinstance(start, dict) for start in starts) else None
