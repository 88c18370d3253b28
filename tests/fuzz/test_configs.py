"""Config files and --cfg-options. A config is Python and runs what is in it: its values are hostile here, not code."""

import json
from keyword import iskeyword
from pathlib import Path

import pytest
from hostile import LONGEST_MESSAGE, documents, hostile, refused_or_read
from hypothesis import given
from hypothesis import strategies as st

from mmdet.config import RunConfig, load_config
from mmdet.errors import UserError

DEMO = Path(__file__).parents[2] / "configs" / "demo" / "memcnp_demo.py"
VALUES = {
    **load_config(DEMO).source.to_dict(),
    "custom_imports": {"imports": ["mmdet.datasets"]},
    "work_dir": "work",
}
CPU_S = 10  # mmengine copies deep lists anew at every level of them
NAMES = ["os.path", "no.such.module", ".relative", "", "..", "a\0b", "mmdet.no", "٣"]  # none that does anything


def plain(value):
    """Json's kinds only, and no module of a random name to import."""
    return json.loads(json.dumps(value, default=list))


def without_imports(values):
    section = values.get("custom_imports") if isinstance(values, dict) else None
    if isinstance(section, dict) and isinstance(section.get("imports"), list):
        section["imports"] = [
            NAMES[len(name) % len(NAMES)] if isinstance(name, str) and name != "mmdet.datasets" else name
            for name in section["imports"]
        ]
    return values


def as_python(values):
    """Write a config as Python; the names `nan` and `inf` of its numbers are given their values."""
    if not isinstance(values, dict):
        values = {"model": values}
    lines = [f"{key} = {value!r}" for key, value in values.items() if key.isidentifier() and not iskeyword(key)]
    used = [name for name in ("inf", "nan") if any(name in line for line in lines)]
    return "\n".join([*(f"{name} = float('{name}')" for name in used), *lines]).encode("utf-8", "replace")


configs = documents(plain(VALUES)).map(without_imports)


@hostile(3)
@given(configs)
def test_python_configs_are_loaded_or_refused(folder, values):
    path = folder / "config.py"
    path.write_bytes(as_python(values))
    config = refused_or_read(lambda: load_config(path), UserError, cpu_s=CPU_S)
    assert config is None or isinstance(config, RunConfig)


def keys_of(values, prefix=""):
    for key, value in values.items() if isinstance(values, dict) else enumerate(values):
        yield f"{prefix}{key}"
        if isinstance(value, dict | list):
            yield from keys_of(value, f"{prefix}{key}.")


KEYS = [key for key in keys_of(plain(VALUES)) if not key.startswith("custom_imports")]
steps = st.sampled_from(["0", "-1", "²", "٣", "9" * 5000, "", " ", "type", "datasets", "\ud800", "transforms"])
keys = st.sampled_from(KEYS) | st.lists(st.sampled_from(KEYS) | steps, min_size=1, max_size=3).map(".".join)
literals = st.sampled_from(
    ["1", "-1", "0.5", "None", "true", "[]", "{}", "{{}}", "{[]: 1}", "(" * 300, "[" * 150 + "]" * 150,
     "-" * 5000 + "1", "9" * 5000, "1e999", "nan", "'\ud800'", "\0", "b'a'", "1j", "{'type': 3}", "{'type': []}",
     "{1: 2}", "...", "{'a': {1, 2}}", "dict(a=1)", "__import__('hostile').call()", "[" + "1," * 5000 + "]",
     "{'type': 'VISModel'}", "*a", "f'{x}'"]
)  # fmt: skip
overrides = st.tuples(keys, st.sampled_from(["=", "=", "=", "", "=="]), literals | st.text(max_size=8)).map("".join)


@pytest.fixture(scope="module")
def small(folder):
    """The demo config as one file."""
    path = folder / "small.py"
    path.write_bytes(as_python(plain({**VALUES, "custom_imports": None})))
    return path


@hostile(3)
@given(st.lists(overrides | st.text(max_size=20), min_size=1, max_size=3))
def test_overrides_are_taken_or_refused(small, given_overrides):
    given_overrides = [text for text in given_overrides if not text.startswith("custom_imports")]
    longest = LONGEST_MESSAGE + 2 * sum(map(len, given_overrides))  # keys are shown as they were typed
    config = refused_or_read(lambda: load_config(small, given_overrides), UserError, longest=longest)
    assert config is None or isinstance(config, RunConfig)
