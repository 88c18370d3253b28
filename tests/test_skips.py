"""Skips that `--no-skips` turns into failures."""

import os
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

SUITE = """
import pytest

def test_of_larger_data(shared):
    pass

@pytest.mark.compiled
@pytest.mark.skipif(True, reason="nothing is built")
def test_of_the_library():
    pass

@pytest.mark.compiled
@pytest.mark.xfail(reason="known")
def test_that_is_known_to_fail():
    assert False
"""


@pytest.fixture
def run(pytester, monkeypatch):
    """Run two tests that skip and one that is known to fail, with the conftest of this one."""
    monkeypatch.delenv("MEMCNP_SHARED", raising=False)
    monkeypatch.setenv("PYTHONPATH", os.environ["PYTHONPATH"])
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text())
    pytester.makeini("[pytest]\nmarkers =\n  compiled\n  shared\n")
    pytester.makepyfile(SUITE)
    return lambda *arguments: pytester.runpytest_inprocess("--strict-markers", "-p", "no:cacheprovider", *arguments)


def test_skips_stand_where_none_is_refused(run):
    run().assert_outcomes(skipped=2, xfailed=1)


def test_a_skip_that_is_refused_is_a_failure_that_says_why(run):
    said = run("--no-skips", "compiled,shared")
    said.assert_outcomes(errors=2, xfailed=1)
    said.stdout.fnmatch_lines_random(
        ["*--no-skips compiled, but*: nothing is built", "*--no-skips shared, but*MEMCNP_SHARED is not set*"]
    )


def test_a_skip_of_another_marker_stands(run):
    run("--no-skips", "compiled").assert_outcomes(skipped=1, errors=1, xfailed=1)
