"""The recorded numbers of the release, and the small model that they were recorded with."""

import sys
from pathlib import Path

import pytest
from programs import load_program

from mmdet.config import load_config
from mmdet.parity.recorded import golden_model, read_golden

SMALL_MODEL = Path(__file__).parents[2] / "configs" / "baselines" / "golden_small.py"


@pytest.fixture(scope="session")
def seed_folder(recorded_numbers):
    return recorded_numbers / "seed0"


@pytest.fixture(scope="session")
def golden(seed_folder):
    return read_golden(seed_folder)


@pytest.fixture(scope="session")
def config():
    return load_config(SMALL_MODEL)


@pytest.fixture
def small_model(golden, config):
    return golden_model(config, golden.state)


@pytest.fixture(params=["192x256", "160x224"])
def size(request):
    return request.param


@pytest.fixture
def assert_all():
    """Fail with every check that is further off than it may be, and where there is nothing to check."""

    def run(checks):
        checks = list(checks)
        failures = [str(check) for check in checks if not check.passed]
        assert not failures, "\n" + "\n".join(failures)
        assert checks, "nothing was compared"

    return run


@pytest.fixture
def check_golden(monkeypatch, capsys):
    """Run the command line; returns (exit code, output lines, error lines)."""
    tool = load_program("tools/check_golden")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["check_golden.py", *map(str, arguments)])
        code = 0
        try:
            tool.run_command_line(tool.main)
        except SystemExit as end:
            code = end.code
        output = capsys.readouterr()
        return code, output.out.splitlines(), output.err.splitlines()

    return run
