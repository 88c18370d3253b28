"""Hostile input for whatever reads files: damaged documents and bytes, and the limits that reading them has to keep.

In the suite each target sees two hundred examples, the same in every run. The long run, random, over 20,000 of each:

    HYPOTHESIS_PROFILE=offline python -m pytest -q tests/fuzz --hypothesis-seed=N --hypothesis-show-statistics

A property holds if reading ends by the documented error, or well, within two seconds of processor time (a minute by the
clock ends the process, with the trace, where no signal is heard) and 1 GiB of memory, and calls nothing.
Documents are valid ones with some values left out, repeated, swapped, or replaced by those of HOSTILE.
"""

import copy
import faulthandler
import json
import os
import signal
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

OFFLINE = os.environ.get("HYPOTHESIS_PROFILE") == "offline"
EXAMPLES = 21_000 if OFFLINE else 200  # of each target
CPU_S, CLOCK_S, MEMORY_KIB = 2.0, 60, 2**20
LONGEST_MESSAGE = 2000

CALLS = []  # what hostile files have got called
WRITTEN = Path(tempfile.gettempdir()) / f"hostile-{os.getpid()}"  # what their shell commands would write


def hostile(properties):
    """The settings of each of so many properties of one target, which share its examples."""
    return settings(
        max_examples=EXAMPLES // properties,
        deadline=None,  # the limits below are kept while an example runs, not looked at afterwards
        derandomize=not OFFLINE,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


class Hang(BaseException):
    """Not an Exception: no reader may take it for a damaged file."""


def call(*args):
    """What a file must not reach."""
    CALLS.append(args)


def _memory_kib():
    status = Path("/proc/self/status").read_text()
    return {
        line.split(":")[0]: int(line.split()[1]) for line in status.splitlines() if line.startswith(("VmHWM", "VmRSS"))
    }


@contextmanager
def within_limits(cpu_s):
    """Hold what happens inside to the limits of time and memory."""

    def stop(*_):
        raise Hang(f"more than {cpu_s} s of processor time")

    previous = signal.signal(signal.SIGPROF, stop)
    faulthandler.dump_traceback_later(CLOCK_S, exit=True, file=sys.__stderr__)
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
        before = _memory_kib()["VmRSS"]
        yield
        assert _memory_kib()["VmHWM"] - before < MEMORY_KIB
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGPROF, previous)


def refused_or_read(read, *errors, cpu_s=CPU_S, longest=LONGEST_MESSAGE):
    """Return what `read()` does, None if it refuses by one of `errors` with a message of one short line."""
    with within_limits(cpu_s):
        try:
            return read()
        except errors as error:
            message = str(error)
            assert message.strip()
            assert len(message) < longest, message[:longest]
            return None


DEEP = "@deep@"  # texts that stand for what json.dumps cannot write
MANY_DIGITS = "@digits@"
RAW = {
    DEEP: ("[" * 980 + "]" * 980),
    MANY_DIGITS: "9" * 5000,
    "@deeper@": "[" * 50_000 + "]" * 50_000,
    "@1e999@": "1e999",
}

HOSTILE = (  # each made anew, as a later change may go into it
    *(lambda value=value: value for value in (
        None, True, False, 0, -1, 1, 2, 2**31, 2**32 + 1, 2**63, -(2**63), 10**30, 10**400, 0.5, -0.5, 1e308,
        float("nan"), float("inf"), float("-inf"), "", "0", "1", "٣", "²", "\ud800", "\0", "../../etc/passwd",
        "/", "null", "a" * 5000, *RAW,
    )),
    list, dict, lambda: [[]], lambda: [None] * 500, lambda: {"": 0}, lambda: [0, 0], lambda: [-1, -1],
    lambda: [2**31, 2**31],
    lambda: [[0, 0, 1e9, 0, 1e9, 1e9]], lambda: [10**400] * 6, lambda: {"size": [2, 3], "counts": "06"},
    lambda: {"size": [2**20, 2**20], "counts": "0" * 99}, lambda: {"size": [10**5, 1], "counts": [10**5]},
)  # fmt: skip
WAYS = ("replace", "drop", "repeat", "swap")
changes = st.lists(
    st.tuples(
        st.sampled_from(WAYS),
        st.integers(0, 10**4),
        st.one_of(
            st.sampled_from(HOSTILE), st.builds(lambda value: lambda: value, st.integers() | st.floats() | st.text())
        ),
        st.integers(0, 10**4),
    ),
    max_size=4,
)


def _places(document):
    """List (container, key) of what is in a document, the first some thousand."""
    places, waiting = [], [document]
    while waiting and len(places) < 3000:
        node = waiting.pop()
        items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, value in list(items):
            places.append((node, key))
            waiting.append(value)
    return places


def changed(valid, ways):
    """Return a copy of a valid document with changes applied one after the other."""
    holder = [copy.deepcopy(valid)]
    for way, place, value, other in ways:
        places = _places(holder)
        container, key = places[place % len(places)]
        source, source_key = places[other % len(places)]
        if way == "drop" and container is not holder:
            del container[key]
        elif way == "repeat" and isinstance(container, list):
            container.append(copy.deepcopy(container[key]))
        elif way == "swap":
            container[key] = copy.deepcopy(source[source_key])
        else:
            container[key] = value()
    return holder[0]


def documents(valid):
    """Valid documents with changes."""
    return changes.map(lambda ways: changed(valid, ways))


def to_json(document):
    """Write a document, and what json.dumps cannot write."""
    text = json.dumps(document)
    for name, raw in RAW.items():
        text = text.replace(f'"{name}"', raw)
    return text.encode()


TOKENS = (
    b"",
    b"[",
    b"]",
    b"{",
    b"}",
    b'"',
    b"\\ud800",
    b"\xff",
    b"\0",
    b"NaN",
    b"-",
    b"1e999",
    b'"id":1,',
    b'"size":[1,1],',
    b"[" * 2000,
)
damages = st.lists(
    st.tuples(st.integers(0, 10**6), st.integers(0, 30), st.sampled_from(TOKENS) | st.binary(max_size=8)), max_size=3
)


def damaged(data, where):
    """Return bytes with stretches of them replaced; the last of several changes may cut off the rest."""
    for place, length, piece in where:
        start = place % (len(data) + 1)
        data = data[:start] + piece + (b"" if length == 30 else data[start + length :])
    return data
