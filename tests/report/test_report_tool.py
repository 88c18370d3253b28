import json
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(monkeypatch, capsys):
    """Run tools/report.py and return its exit code and what it printed."""

    def run_tool(*arguments):
        monkeypatch.setattr(sys, "argv", ["report.py", *map(str, arguments)])
        code = 0
        try:
            runpy.run_path(str(ROOT / "tools" / "report.py"), run_name="__main__")
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        return code, said.out, said.err

    return run_tool


def content_of(page):
    """Return the figures that lie in a page."""
    text = page.read_text()
    start = text.index('id="overview">') + len('id="overview">')
    return json.loads(text[start : text.index("</script>", start)])


def test_it_writes_one_page_and_prints_its_path(run, files):
    out = files / "out"
    words = [files / "results.json", "--ann", files / "truth.json", "--images", files / "images", "--out", out]
    assert run(*words) == (0, f"{out / 'report.html'}\n", "")
    assert [path.name for path in out.iterdir()] == ["report.html"]
    overview = content_of(out / "report.html")
    assert overview["title"] == "results"
    assert overview["models"][0]["commands"][-1].endswith(f"--out {out}")
    assert run(*words)[0] == 0  # again, over its own page


def test_a_file_that_is_no_report_is_not_overwritten(run, files):
    page = files / "out" / "report.html"
    page.parent.mkdir()
    page.write_text("<p>my own page</p>")
    code, _, err = run(files / "results.json", "--ann", files / "truth.json", "--out", page.parent)
    assert code == 2
    assert "no report of this program" in err
    assert page.read_text() == "<p>my own page</p>"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["results.json", "--ann", "nowhere.json"], "nowhere.json does not exist"),
        (["nowhere.json"], "nowhere.json cannot be read"),
        (["truth.json"], "annotations without scores"),
        (["results.json", "--ann", "truth.json", "--images", "nowhere"], "--images nowhere is no folder"),
        (["results.json", "--ann", "truth.json", "--work-dir", "nowhere"], "--work-dir nowhere is no folder"),
        (["results.json", "--thresh", "2"], "2.0, expected"),
        (["results.json", "--ann", "truth.json", "--compare", "other.json"], "of video 7"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(run, files, monkeypatch, words, said):
    monkeypatch.chdir(files)
    other = [entry | {"video_id": 7} for entry in json.loads(Path("results.json").read_text())]
    Path("other.json").write_text(json.dumps(other))
    code, out, err = run(*words, "--out", "out")
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.strip().splitlines()[-1:]) == 1
    assert not Path("out").exists()


def test_two_results_of_one_name_are_told_apart_by_their_folders(run, files):
    for name in ("first", "second"):
        (files / name).mkdir()
        (files / name / "results.json").write_text((files / "results.json").read_text())
    results = [files / "first/results.json", "--compare", files / "second/results.json"]
    assert run(*results, "--ann", files / "truth.json", "--out", files / "out")[0] == 0
    names = [model["name"] for model in content_of(files / "out/report.html")["models"]]
    assert names == ["first/results", "second/results"]


def test_the_work_dir_gives_curves_versions_and_the_command(run, files):
    work = files / "work"
    work.mkdir()
    (work / "train.jsonl").write_text('{"kind": "train", "step": 1, "loss": 2.0}\n')
    (work / "environment.json").write_text(
        json.dumps({"command": "python train.py configs/x.py", "versions": {"torch": "2.9"}, "git_revision": "abc"})
    )
    words = [files / "results.json", "--ann", files / "truth.json", "--work-dir", work, "--out", files / "out"]
    assert run(*words)[0] == 0
    model = content_of(files / "out/report.html")["models"][0]
    assert model["training"][0]["y"] == [2.0]
    assert ["training: versions", "torch 2.9"] in model["about"]
    assert model["commands"][0] == "python train.py configs/x.py"


def test_names_that_are_markup_stay_text(run, files):
    truth = json.loads((files / "truth.json").read_text())
    truth["categories"][0]["name"] = "</script><script>alert(1)</script>"
    (files / "truth.json").write_text(json.dumps(truth))
    words = [files / "results.json", "--ann", files / "truth.json", "--out", files / "out", "--title", "<b>&"]
    assert run(*words)[0] == 0
    text = (files / "out/report.html").read_text()
    assert "alert(1)</script>" not in text
    assert content_of(files / "out/report.html")["models"][0]["classes"][0]["name"] == truth["categories"][0]["name"]
