import logging
import subprocess
import sys

import pytest
import torch

from mmdet.ops import extension


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An empty package folder, and a loader that has not looked yet."""
    monkeypatch.setattr(extension, "PACKAGE", tmp_path)
    extension.load.cache_clear()
    yield tmp_path
    extension.load.cache_clear()


def built_for(version):
    return b"\x7fELF memcnp ops built for torch " + version.encode() + b"\0"


def test_without_a_library_nothing_is_loaded_and_nothing_said(package, caplog):
    assert not extension.load()
    assert not extension.has_cuda_kernels()
    assert not caplog.records


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (built_for("1.13"), f"it was built for torch 1.13, this is {torch.__version__}"),
        (b"something else", "it does not say which torch it was built for"),
        (built_for(".".join(torch.__version__.split(".")[:2])), "cannot be used"),
    ],
    ids=["another torch", "another library", "broken"],
)
def test_a_library_that_does_not_fit_is_reported_once_and_left_alone(package, caplog, content, message):
    (package / "_C.abi3.so").write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert not extension.load()
        assert not extension.load()
    (record,) = caplog.records
    assert message in record.getMessage()
    assert "bash compile.sh" in record.getMessage()
    assert "\n" not in record.getMessage()


@pytest.mark.compiled
def test_a_library_without_the_newest_op_is_left_alone(monkeypatch, caplog):
    if not extension.load():
        pytest.skip("the compiled ops are not built: bash compile.sh")
    monkeypatch.setattr(extension, "NEWEST_OP", "of_next_year")
    extension.load.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert not extension.load()
    extension.load.cache_clear()
    assert "it was built before there was of_next_year" in caplog.text


def test_the_newest_library_is_taken(package):
    import os

    for age, name in enumerate(["_C.abi3.so", "_C.cpython-311.so"]):
        (package / name).touch()
        os.utime(package / name, (1000 - age, 1000 - age))
    assert extension.path() == package / "_C.abi3.so"


@pytest.mark.compiled
def test_the_built_library_loads_in_a_fresh_process():
    if extension.path() is None:
        pytest.skip("the compiled ops are not built: bash compile.sh")
    code = "from mmdet.ops import extension; print(extension.load(), extension.has_cuda_kernels() in (True, False))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.split() == ["True", "True"], result.stderr
