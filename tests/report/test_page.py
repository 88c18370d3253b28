"""A report as one file: what lies in it, what is escaped, and that it is written whole or not at all."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from made_report import make_model, make_report

import mmdet.report
from mmdet.errors import UserError
from mmdet.report.page import SCRIPTS, STYLES, write_page
from mmdet.report.runs import page as runs_page

WEB = Path(mmdet.report.__file__).parent / "web"
HOSTILE = "</script><!--<script>\u2028\u2029 & <img src=x onerror=alert(1)>"


@pytest.fixture
def page_of(tmp_path):
    """Write the page of a report and return its text."""

    def write(report):
        write_page(report, tmp_path / "report.html")
        return (tmp_path / "report.html").read_text(encoding="utf-8")

    return write


def block(page, name):
    (text,) = re.findall(rf'<script type="application/json" id="{name}">(.*?)</script>', page, re.DOTALL)
    return json.loads(text)


def test_the_overview_holds_all_figures_and_no_pictures_or_tracks(page_of):
    report = make_report()
    overview = block(page_of(report), "overview")
    assert overview["models"][0]["headline"][0] == {"name": "AP", "value": 31.2, "unit": "%", "note": ""}
    assert not {"pictures", "truth"} & set(overview["videos"][0])
    assert overview["videos"][0]["true_tracks"] == 3
    assert overview["videos"][0]["models"][0]["num_tracks"] == 5
    assert len(json.dumps(overview)) < 50_000


def test_each_video_has_its_tracks_and_pictures_in_blocks_of_their_own(page_of):
    report = make_report(videos=2, models=2)
    page = page_of(report)
    tracks = block(page, "tracks-1")
    assert [len(model) for model in tracks["models"]] == [5, 5]
    assert tracks["truth"][0]["class_name"] == "ring"
    assert block(page, "pictures-1") == list(report.videos[1].pictures)


def test_a_video_without_truth_says_so(page_of):
    page = page_of(make_report(truth=False, videos=1))
    assert block(page, "overview")["videos"][0]["true_tracks"] is None
    assert block(page, "tracks-0")["truth"] is None


def test_names_that_look_like_markup_do_not_end_a_block(page_of):
    page = page_of(make_report(names=(HOSTILE, "star", "cross"), title=HOSTILE, videos=1))
    assert page.count("</script>") == 4  # overview, script, tracks, pictures
    assert "<!--" not in page
    assert "\u2028" not in page.partition("</title>")[2]
    assert "<img" not in page.partition("<style>")[0]
    assert block(page, "overview")["models"][0]["classes"][0]["name"] == HOSTILE


def test_half_a_surrogate_pair_can_be_written(page_of):
    page = page_of(make_report(names=("\ud83d", "star", "cross"), title="\ud83d", videos=1))
    assert block(page, "tracks-0")["truth"][0]["class_name"] == "\ud83d"


def test_numbers_that_are_not_finite_are_unknown(page_of):
    model = replace(make_model(), threshold=math.nan)
    overview = block(page_of(replace(make_report(videos=1), models=[model])), "overview")
    assert overview["models"][0]["threshold"] is None


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path):
    report = make_report(videos=1)
    write_page(report, tmp_path / "report.html")
    before = (tmp_path / "report.html").read_bytes()
    with pytest.raises(TypeError):
        write_page(replace(report, notes=[object()]), tmp_path / "report.html")
    assert (tmp_path / "report.html").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_folder_in_the_way_is_a_clear_error(tmp_path):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        write_page(make_report(videos=1), tmp_path / "report.html")


def test_the_page_names_no_other_file_and_no_network():
    for path in WEB.iterdir():
        addresses = re.findall(
            r"(?:https?:)?//[a-z]+\.[a-z.]+", path.read_text().replace("http://www.w3.org/2000/svg", "")
        )
        assert not addresses, path.name
    assert "src=" not in (WEB / "page.html").read_text()


def test_every_file_of_the_page_is_used_and_short():
    assert {path.name for path in WEB.iterdir()} == {*STYLES, *SCRIPTS, *runs_page.SCRIPTS, "page.html"}
    assert set(runs_page.STYLES) <= set(STYLES)
    for path in WEB.iterdir():
        lines = path.read_text().splitlines()
        assert len(lines) <= 300, path.name
        assert max(map(len, lines)) <= 120 or path.suffix == ".html", path.name


def test_the_script_does_not_make_html_from_texts():
    for name in {*SCRIPTS, *runs_page.SCRIPTS}:
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", (WEB / name).read_text()
        )
