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
    assert "    18.8    25.0" in capsys.readouterr().out
    written = json.loads(out.read_text())
    assert set(written) == {"stats", "per_category", "ovis"}
    assert written["stats"]["AP"] == pytest.approx(0.18787128712871287)
    assert set(written["per_category"]) == {"1", "9"}
    assert written["ovis"] is None


def test_class_agnostic_figures_stand_beside_the_normal_ones(run, tmp_path, capsys):
    plain, both = tmp_path / "plain.json", tmp_path / "both.json"
    assert run(TINY / "gt.json", TINY / "results.json", "--out", plain) == 0
    assert run(TINY / "gt.json", TINY / "results.json", "--class-agnostic", "--out", both) == 0
    assert "all categories as one" in capsys.readouterr().out
    written = json.loads(both.read_text())
    agnostic = written.pop("class_agnostic")
    assert written == json.loads(plain.read_text())
    assert agnostic["AR100"] > written["stats"]["AR100"]  # an object found under the wrong category counts


def test_figures_are_in_the_official_order(run, tmp_path):
    folder = TINY.parent / "ovis"
    assert run(folder / "gt.json", folder / "results.json", "--ovis", "--out", tmp_path / "f.json") == 0
    written = json.loads((tmp_path / "f.json").read_text())
    expected = json.loads((folder / "expected.json").read_text())
    assert list(written) == ["stats", "per_category", "ovis"]
    assert list(written["stats"]) == expected["names"]
    assert list(written["ovis"]) == expected["ovis"]["names"]
    assert list(written["ovis"].values()) == pytest.approx(expected["ovis"]["stats"], abs=1e-12)
    assert list(next(iter(written["per_category"].values()))) == ["name", "AP", "AP50", "AP75", "AR100"]


def test_missing_occlusion_labels_are_one_line(run, capsys):
    assert run(TINY / "gt.json", TINY / "results.json", "--ovis") == 0
    assert "3 of 3 annotations lack occlusion labels" in capsys.readouterr().out


def test_boxes_are_scored_from_results_that_have_nothing_else(run, tmp_path):
    truth = json.loads((TINY / "gt.json").read_text())
    results = json.loads((TINY / "results.json").read_text())
    sides = {"10x10": [0, 0, 10, 10]}
    for entry in truth["annotations"]:
        entry["bboxes"] = [sides["10x10"] if segmentation else None for segmentation in entry["segmentations"]]
        del entry["segmentations"]
    for entry in results:
        entry["bboxes"] = [sides["10x10"] if segmentation else None for segmentation in entry.pop("segmentations")]
    (tmp_path / "gt.json").write_text(json.dumps(truth))
    (tmp_path / "results.json").write_text(json.dumps(results))
    out = tmp_path / "figures.json"
    assert run(tmp_path / "gt.json", tmp_path / "results.json", "--bbox", "--out", out) == 0
    # category 1, by score: IoU 1/3 (a false positive), 1, 1/2 (the same object), 2/3: precision 1/2 at both recalls
    assert json.loads(out.read_text())["per_category"]["1"]["AP50"] == pytest.approx(0.5)


@pytest.mark.parametrize("bad", ["missing.json", "broken.json"])
def test_bad_input_is_one_line_and_status_two(run, tmp_path, capsys, bad):
    (tmp_path / "broken.json").write_text("{")
    assert run(TINY / "gt.json", tmp_path / bad) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert bad in error


def test_what_is_wrong_inside_of_a_file_is_told_with_the_files_names(run, tmp_path, capsys):
    truth, results = tmp_path / "gt.json", tmp_path / "results.json"
    truth.write_text((TINY / "gt.json").read_text())
    entries = json.loads((TINY / "results.json").read_text())
    results.write_text(json.dumps([{**entries[0], "video_id": 987}]))
    assert run(truth, results) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {truth} with {results}: result 0 is of video 987")
    assert error.count("\n") == 1
