"""Processes that share out work: they inherit nothing but imports, so that no lock of a thread is held in them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")

_SERVER = "forkserver"  # imports once, then its forks start at once; Windows has to spawn each process


def in_processes(
    function: Callable[[Item], Made], items: Iterable[Item], workers: int, module: str, chunk: int = 1
) -> list[Made]:
    """Return what a function makes of all items, in order, by this process or by `workers` others.

    `module`: what a worker imports before its first item; `chunk`: items that a worker takes at once
    """
    items = list(items)
    if workers <= 1 or len(items) <= 1:
        return [function(item) for item in items]
    has_server = _SERVER in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context(_SERVER if has_server else "spawn")
    if has_server:
        context.set_forkserver_preload([module])
    with ProcessPoolExecutor(min(workers, len(items)), mp_context=context) as pool:
        return list(pool.map(function, items, chunksize=chunk))
