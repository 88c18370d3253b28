import json
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests" / "data" / "eval_vectors" / "tiny"


@pytest.fixture
def run(monkeypatch):
    def run_tool(*arguments):
        monkeypatch.setattr(sys, "argv", ["eval_results.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_info:
            runpy.run_path(str(ROOT / "tools" / "eval_results.py"), run_name="__main__")
        return exit_info.value.code

    return run_tool


def test_figures_are_printed_and_written(run, tmp_path, capsys):
    out = tmp_path / "figures.json"
    assert run(TINY / "gt.json", TINY / "results.json", "--out", out) == 0
    assert "18.79" in capsys.readouterr().out
    written = json.loads(out.read_text())
    assert set(written) == {"stats", "per_category", "ovis"}
    assert written["stats"]["AP"] == pytest.approx(0.18787128712871287)
    assert set(written["per_category"]) == {"1", "9"}
    assert written["ovis"] is None


def test_class_agnostic_figures_are_those_of_one_category(run, tmp_path):
    out = tmp_path / "figures.json"
    assert run(TINY / "gt.json", TINY / "results.json", "--class-agnostic", "--strict", "--out", out) == 0
    assert len(json.loads(out.read_text())["per_category"]) == 1


@pytest.mark.parametrize("bad", ["missing.json", "broken.json"])
def test_bad_input_is_one_line_and_status_two(run, tmp_path, capsys, bad):
    (tmp_path / "broken.json").write_text("{")
    assert run(TINY / "gt.json", tmp_path / bad) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert bad in error
