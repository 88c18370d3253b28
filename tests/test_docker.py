"""The Dockerfile: its variants, that its steps are the README's, and what hadolint says where it is installed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docker" / "Dockerfile"
TEXT = FILE.read_text()
RAW = re.findall(r"^[A-Z]+ (?:.*\\\n)*.*$", TEXT, re.MULTILINE)
STEPS = [step.replace("\\\n", " ") for step in RAW]


def steps(word):
    return [" ".join(step.split()[1:]) for step in STEPS if step.split()[0] == word]


def test_the_dockerfile_has_only_instructions_and_comments():
    known = {"ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "FROM", "RUN", "USER", "WORKDIR"}
    lines = [line for line in TEXT.splitlines() if line and not line.startswith("#")]
    assert {step.split()[0] for step in STEPS} <= known
    assert [line for step in RAW for line in step.splitlines()] == lines


def test_it_has_a_variant_with_and_one_without_cuda():
    bases = {step.split()[-1]: step.split()[0] for step in steps("FROM")}
    assert bases["memcnp"] == "${VARIANT}"
    assert "VARIANT=cpu" in steps("ARG")
    assert re.fullmatch(r"python:3\.1[123]-slim-\w+", bases["cpu"])
    assert re.fullmatch(r"nvidia/cuda:[\d.]+-devel-ubuntu24\.04", bases["cuda"])
    assert {"MEMCNP_CUDA=0"} < set(steps("ENV"))
    assert any(step.startswith("MEMCNP_CUDA=1 ") for step in steps("ENV"))


def test_it_is_made_by_the_step_of_the_readme_and_runs_the_command():
    assert steps("RUN")[-1] == "bash tools/make_env.sh"
    assert "\nbash tools/make_env.sh " in (ROOT / "README.md").read_text()
    assert steps("ENTRYPOINT") == ['["memcnp"]']
    assert steps("USER") == ["1000"]


def test_the_image_gets_what_the_build_reads():
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    needed = {"pyproject.toml", "setup.py", "env_pip.txt", "README.md", "LICENSE", "tools", "mmdet", "configs"}
    assert needed.isdisjoint(ignored)
    assert {".git", ".venv", "data/*", "**/*.so"} <= set(ignored)


HADOLINT = shutil.which("hadolint", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))


@pytest.mark.skipif(HADOLINT is None, reason="hadolint, of the extra `dev` on Linux, is not installed")
def test_hadolint_finds_nothing():
    # DL3008: a distribution's packages have no versions that stay available
    said = subprocess.run([HADOLINT, "--ignore", "DL3008", FILE], capture_output=True, text=True, check=False)
    assert (said.stdout, said.returncode) == ("", 0)
