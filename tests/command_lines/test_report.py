"""test_video.py --report: the page of a test, made last."""

import json

import pytest


def overview_of(page):
    text = page.read_text()
    start = text.index('id="overview">') + len('id="overview">')
    return json.loads(text[start : text.index("</script>", start)])


def test_a_test_writes_its_report_beside_the_results_and_names_it_last(run, config, checkpoint, tmp_path):
    ended = run("test_video", config, checkpoint, "--out", tmp_path / "x.pkl", "--eval", "segm", "--report")
    assert ended.code == 0
    page = tmp_path / "report.html"
    assert ended.out.splitlines()[-1] == str(page)
    overview = overview_of(page)
    assert len(overview["videos"]) == 3
    model = overview["models"][0]
    assert ["checkpoint", str(checkpoint)] in model["about"]
    assert {curve["group"] for curve in model["training"]} >= {"losses", "validation", "learning rate"}
    assert "test_video.py" in model["commands"][-1]


def test_a_report_alone_is_work_enough_and_goes_where_it_is_asked(run, config, checkpoint, tmp_path):
    saved = tmp_path / "x.pkl"
    assert run("test_video", config, checkpoint, "--out", saved).code == 0
    for given, page in (("pages", "pages/report.html"), ("own.html", "own.html")):
        ended = run("test_video", config, "--load_result", saved, "--report", tmp_path / given, "--thresh", "0.5")
        assert (ended.code, ended.out.splitlines()[-1]) == (0, str(tmp_path / page))
        assert overview_of(tmp_path / page)["models"][0]["threshold"] == 0.5


def test_a_page_that_is_no_report_is_refused_before_the_test(run, config, checkpoint, tmp_path):
    (tmp_path / "report.html").write_text("mine")
    ended = run("test_video", config, checkpoint, "--out", tmp_path / "x.pkl", "--report")
    assert ended.code == 2
    assert "no report of this program" in ended.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html"]


@pytest.mark.parametrize("value", ["config", "ann"])
def test_an_input_is_not_written_over_by_the_page(run, config, tiny_set, checkpoint, tmp_path, value):
    link = tmp_path / "page.html"
    link.hardlink_to(config if value == "config" else tiny_set / "annotations/instances_valid.json")
    ended = run("test_video", config, checkpoint, "--report", link)
    assert ended.code == 2
    assert str(link) in ended.err
