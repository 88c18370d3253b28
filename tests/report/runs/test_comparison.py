"""Runs side by side: which there are, their figures, what differs in their configs, and the page."""

import json
import re
import sys

import pytest
from programs import load_program

from mmdet.engine.process.endings import run_command_line
from mmdet.errors import UserError
from mmdet.report.runs.comparison import compare, format_comparison
from mmdet.report.runs.page import compare_runs
from mmdet.report.runs.run_folder import find_runs


def write_run(folder, ap=(0.1, 0.3, 0.2), lr=0.001, config=True, **more):
    """Write what a run of three epochs leaves."""
    folder.mkdir(parents=True)
    entries = []
    for epoch, value in enumerate(ap, start=1):
        step = 10 * epoch
        entries.append({"kind": "train", "step": step, "epoch": epoch, "loss": 5.0 / epoch, "loss_cls": 1.0, "lr": lr,
                        "images_per_second": 20.0 + epoch, "rss_gib": 1.5})  # fmt: skip
        if value is not None:
            entries.append({"kind": "validation", "step": step, "AP": value, "AP50": 2 * value, "APs": -1,
                            "F1": 0.5, "AP/cat": value})  # fmt: skip
    (folder / "train.jsonl").write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))
    values = {"optimizer": {"type": "SGD", "lr": lr}, "work_dir": str(folder), **more}
    if config:
        lines = (f"{key} = {value!r}" for key, value in values.items())
        (folder / "resolved_config.py").write_text("# Written by train.py\n" + "\n".join(lines))
    (folder / "environment.json").write_text(json.dumps({"command": "memcnp train x.py", "started": "today"}))
    return folder


def table(text):
    return [re.split(r"  +", line.strip()) for line in text.splitlines() if "  " in line]


def test_figures_are_those_of_the_best_validation_and_of_the_end_of_training(tmp_path):
    (run,) = find_runs([write_run(tmp_path / "a")])
    assert run.figures == {
        "steps": 30, "AP": 0.3, "at step": 20, "AP50": 0.6, "AP75": None, "AR10": None, "F1": 0.5, "last AP": 0.2,
        "loss": pytest.approx(5 / 3), "images/s": 22.0, "GiB": 1.5,
    }  # fmt: skip


def test_the_table_has_a_line_a_run_marks_the_best_and_has_what_differs_as_columns(tmp_path):
    write_run(tmp_path / "a", lr=0.001)
    write_run(tmp_path / "b", ap=(0.1, 0.4, 0.4), lr=0.01)
    write_run(tmp_path / "c", ap=(None, None, None), lr=0.1)
    rows = table(compare_runs([tmp_path], None))
    names = ["AP", "at step", "AP50", "F1", "last AP", "loss", "images/s", "GiB"]
    assert rows[0] == ["run", "optimizer.lr", "steps", *names]
    assert rows[1] == ["a", "0.001", "30", "30.0", "20", "60.0", "50.0", "20.0", "1.667", "22", "1.5"]
    assert rows[2][:5] == ["b*", "0.01", "30", "40.0", "20"]
    assert rows[3] == ["c", "0.1", "30", "-", "-", "-", "-", "-", "1.667", "22", "1.5"]


def test_runs_can_stand_in_the_order_of_their_best_figure(tmp_path):
    for name, best in (("a", 0.2), ("b", None), ("c", 0.4)):
        write_run(tmp_path / name, ap=(best,))
    assert [run.name for run in compare(find_runs([tmp_path]), best_first=True).runs] == ["c", "a", "b"]


def test_folders_of_runs_are_taken_in_natural_order_and_each_run_once(tmp_path):
    for name in ("lr_10", "lr_2", "lr_1"):
        write_run(tmp_path / name)
    (tmp_path / "no_run").mkdir()
    runs = find_runs([tmp_path, tmp_path / "lr_2"])
    assert [run.name for run in runs] == ["lr_1", "lr_2", "lr_10"]


def test_runs_of_one_name_are_told_apart_by_their_folders(tmp_path):
    folders = [write_run(tmp_path / "first" / "demo"), write_run(tmp_path / "second" / "demo")]
    assert [run.name for run in find_runs(folders)] == ["first/demo", "second/demo"]


def test_values_that_differ_are_named_by_their_keys_and_equal_ones_are_not(tmp_path):
    head = {"type": "H", "towers": [1, 2], "steps": [{"p": 1}, {"p": 2}]}
    other = {"type": "H", "towers": [1, 3], "steps": [{"p": 1}, {"p": 5}], "new": None}
    runs = find_runs([write_run(tmp_path / "a", model=head), write_run(tmp_path / "b", model=other)])
    assert compare(runs).differences == {
        "model.new": ["-", "None"], "model.steps.1.p": ["2", "5"], "model.towers": ["[1, 2]", "[1, 3]"],
    }  # fmt: skip


def test_many_differences_get_a_table_of_their_own(tmp_path):
    runs = [write_run(tmp_path / name, model={f"key_{i}": f"{name}{i}" for i in range(5)}) for name in "ab"]
    rows = table(format_comparison(compare(find_runs(runs))))
    assert "model.key_0" not in rows[0]
    assert ["config", "a", "b"] in rows
    assert ["model.key_4", "a4", "b4"] in rows


@pytest.mark.parametrize("config", ["x = (", "import os", "optimizer = open('x')"])
def test_a_config_that_cannot_be_read_is_told_and_never_run(tmp_path, config):
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", config=False)
    (tmp_path / "b" / "resolved_config.py").write_text(config)
    text = compare_runs([tmp_path], None)
    assert ("no config can be read in b" in text) == (config != "optimizer = open('x')")


def test_a_saved_config_is_read_as_mmengine_writes_it(tmp_path):
    folder = write_run(tmp_path / "a")
    (folder / "resolved_config.py").write_text(
        "optimizer = dict(\n    betas=(\n        0.9,\n        0.99,\n    ),\n    lr=1e-3)\n"
    )
    (run,) = find_runs([folder])
    assert run.settings == {"optimizer.betas": "[0.9, 0.99]", "optimizer.lr": "0.001"}


@pytest.mark.parametrize("made", [True, False])
def test_a_folder_without_a_run_is_a_clear_error(tmp_path, made):
    if made:
        (tmp_path / "x").mkdir()
    with pytest.raises(UserError, match=r"x is no work dir of a training: it has no train.jsonl"):
        find_runs([tmp_path / "x"])


def test_a_log_without_a_single_figure_gives_an_empty_line(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "train.jsonl").write_text("nothing\n")
    write_run(tmp_path / "b")
    assert table(compare_runs([tmp_path], None))[1][1] == "-"


def test_the_page_is_written_whole_and_holds_names_as_text(tmp_path):
    folder = write_run(tmp_path / "<script><!--")
    said = compare_runs([folder], tmp_path / "out")
    page = (tmp_path / "out" / "runs.html").read_text()
    assert said.endswith(str(tmp_path / "out" / "runs.html"))
    assert page.count("</script>") == 2
    overview = json.loads(re.search(r'id="overview">(.*?)</script>', page, re.DOTALL)[1])
    assert overview["runs"][0]["name"] == "<script><!--"
    curves = {curve["group"]: curve["y"] for curve in overview["runs"][0]["curves"]}
    assert curves["AP"] == pytest.approx([10, 30, 20])  # per cent, as in the table
    assert curves["APs"] == [None, None, None]
    assert "AP/cat" not in curves


def test_a_file_that_is_no_page_of_this_program_is_not_replaced(tmp_path):
    write_run(tmp_path / "a")
    (tmp_path / "runs.html").write_text("mine")
    with pytest.raises(UserError, match="runs.html is no report of this program"):
        compare_runs([tmp_path / "a"], tmp_path)
    assert (tmp_path / "runs.html").read_text() == "mine"


def test_the_command_prints_the_table_and_writes_its_page_twice(tmp_path, monkeypatch, capsys):
    write_run(tmp_path / "runs" / "a")
    arguments = ["compare_runs.py", str(tmp_path / "runs"), "--best-first", "--out", str(tmp_path / "runs")]
    for _ in range(2):
        monkeypatch.setattr(sys, "argv", arguments)
        run_command_line(load_program("tools/compare_runs").main)
    assert capsys.readouterr().out.count("runs.html") == 2


@pytest.mark.browser
def test_the_page_opens_in_a_browser_with_tables_and_curves(tmp_path, visit):
    for index in range(14):
        write_run(tmp_path / "runs" / f"run_{index}", ap=(0.1, 0.2, 0.01 * index), lr=0.001 * (index + 1))
    compare_runs([tmp_path / "runs"], tmp_path)
    page = visit(tmp_path / "runs.html", player=False)
    assert page.inner_text("h1") == "14 training runs"
    assert "curves show the first 12 of 14 runs" in page.inner_text(".notes")
    names = page.locator("#figures tbody tr th").all_inner_texts()
    assert names[:3] == ["run_0 ★", "run_1 ★", "run_2 ★"]
    page.click("#figures thead button:has-text('optimizer.lr')")  # numbers: the largest first
    assert page.locator("#figures tbody tr th").first.inner_text().startswith("run_13")
    titles = page.locator(".chart figcaption").all_inner_texts()
    assert titles[:2] == ["AP", "AP50"]
    assert "APs" not in titles
    assert page.locator(".chart").first.locator("svg.plot path.line").count() == 12
